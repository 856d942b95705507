--- An upload that is refused before it has been read: the server answers and
-- resets the connection, so that the next write fails. The answer is returned
-- all the same.

local support = require "spec.support"
local http = require "curlew"

local TOO_LARGE = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n"
  .. "Connection: close\r\n\r\ntoo large"
local RUNS = 20

local piece = ("x"):rep(100000)

local function pieces(n)
  local left = n
  return function()
    left = left - 1
    return left >= 0 and piece or nil
  end
end

local bodies = {
  ["a text"] = function() return { body = piece:rep(200) } end,
  ["a text that goes at once"] = function()
    return { body = piece:sub(1, 60000) }
  end,
  ["a function"] = function() return { body = pieces(200) } end,
  ["a function with its length"] = function()
    return { body = pieces(200), length = 200 * #piece }
  end,
  ["parts"] = function()
    return { multipart = { { name = "a", piece:rep(200) } } }
  end,
}

-- The number of runs that returned the answer.
local function count(server, make)
  local ca, told = support.certificates().ca, 0
  server:script { "head", { send = TOO_LARGE }, "reset" }
  for _ = 1, RUNS do
    local options = make()
    options.method, options.tls, options.deadline = "POST", { ca = ca }, 10
    local page, err = http.fetch(server.url, options)
    if page then
      assert.same({ 413, "too large" }, { page.status, page.body })
      told = told + 1
    else
      assert.same("closed", err.code)
    end
  end
  return told
end

for kind, make in pairs(bodies) do
  describe("A refusal of " .. kind, function()
    it("is returned over TLS, each time", function()
      local server <close> = support.server {
        tls = support.certificates().good }
      assert.equal(RUNS, count(server, make))
    end)

    -- A reset can always come between the check and the write, and libcurl
    -- writes the gathered bytes of a form without asking again.
    if kind ~= "parts" then
      it("is returned over plain HTTP, but for a rare race", function()
        local server <close> = support.server()
        assert.is_true(count(server, make) > RUNS // 2)
      end)
    end
  end)
end

describe("Over TLS a server that resets without an answer", function()
  it("is an error at once", function()
    local server <close> = support.server { tls = support.certificates().good }
    server:script { "head", "reset" }
    for _, make in pairs(bodies) do
      local options = make()
      options.method, options.deadline = "POST", 10
      options.tls = { ca = support.certificates().ca }
      local page, err = http.fetch(server.url, options)
      assert.is_nil(page)
      assert.equal("closed", err.code)
    end
  end)
end)
