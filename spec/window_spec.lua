--- An upload over HTTP/2 whose server keeps its windows closed: the upload
-- takes no processor time, and goes on when the windows are opened.

local support = require "spec.support"
local h2 = require "spec.support.http2"
local scheduler = require "spec.support.scheduler"
local http = require "curlew"
local posix = support.posix

local OK = { send = h2.headers(200) .. h2.data("ok", true) }
local WINDOW = 65535 -- what may be sent before it is opened (RFC 9113 6.9.2)

local server, client

before_each(function()
  server = support.server { tls = support.certificates().good, http2 = true }
  client = http.client { http_version = "2", deadline = 20,
    tls = { ca = support.certificates().ca } }
end)

after_each(function()
  client:close()
  server:close()
end)

local piece = ("x"):rep(50000)

local function pieces(n)
  local left = n
  return function()
    left = left - 1
    return left >= 0 and piece or nil
  end
end

local bodies = {
  ["a text"] = function() return { body = piece:rep(20) } end,
  ["a function"] = function() return { body = pieces(20) } end,
  ["parts"] = function()
    return { multipart = { { name = "a", piece:rep(20) } } }
  end,
}

local function open(n)
  local by = string.pack(">I4", n)
  return { send = h2.frame("WINDOW_UPDATE", 0, by, 0)
    .. h2.frame("WINDOW_UPDATE", 0, by, 1) }
end

for kind, make in pairs(bodies) do
  describe("An upload of " .. kind .. " without a window", function()
    -- A round takes about 0.02 ms. With 100 rounds in a second an upload takes
    -- 0.2 % of a core, and less than 1 % if a round takes five times as long.
    -- Without rest there are more than 100,000 rounds. The processor time
    -- depends on the machine and has a wide limit, in case a round is long.
    it("takes less than 1 % of a core", function()
      local seconds, start = 3, 1
      server:script { "request", "hold" }
      local options = make()
      options.method, options.deadline = "PUT", seconds
      local page, err
      local clock, began, rounds = os.clock(), posix.monotonic(), 0
      local s <close> = scheduler()
      s.spawn(function() page, err = client:fetch(server.url, options) end)
      while s.round() do
        if posix.monotonic() - began > start then rounds = rounds + 1 end
      end
      assert.is_nil(page)
      assert.equal("timeout", err.code)
      assert.is_true(rounds < 100 * (seconds - start), rounds)
      assert.is_true(os.clock() - clock < seconds / 10)
    end)

    it("goes on when the window is opened, late", function()
      -- the preface, the settings, ... and then the bytes of the first window
      server:script { { take = WINDOW }, { send = "\0\0\0\4\0\0\0\0\0" },
        "wait", open(4000000), { take = 900000 },
        { send = h2.frame("HEADERS", 4, h2.fields { { ":status", "200" } }, 1)
          .. h2.frame("DATA", 1, "ok", 1) }, "hold" }
      local options = make()
      options.method = "PUT"
      local page
      local scope <close> = http.scope()
      local task = scope:spawn(function()
        page = assert(client:fetch(server.url, options))
      end)
      repeat http.sleep(0.01) until #server:requests() == 1
      http.sleep(0.3) -- the windows are closed
      server:go()
      task:wait()
      assert.equal("ok", page.body)
    end)
  end)
end

describe("An answer that is whole before the upload is", function()
  -- The last frame of the upload ends the stream, and nothing comes after it.
  for kind, make in pairs(bodies) do
    it("is returned when the window has been opened: " .. kind, function()
      server:script { { take = WINDOW }, { send = "\0\0\0\4\0\0\0\0\0" },
        { send = h2.frame("HEADERS", 4, h2.fields { { ":status", "200" } }, 1)
          .. h2.frame("DATA", 1, "ok", 1) }, open(4000000), "hold" }
      local options = make()
      options.method = "PUT"
      local page = assert(client:fetch(server.url, options))
      assert.equal("ok", page.body)
    end)
  end
end)

describe("An upload whose window is opened bit by bit", function()
  it("goes on each time", function()
    local steps = { { take = WINDOW }, { send = "\0\0\0\4\0\0\0\0\0" } }
    for _ = 1, 15 do
      steps[#steps + 1] = open(WINDOW)
      steps[#steps + 1] = { take = 60000 }
    end
    steps[#steps + 1] = { send = h2.frame("HEADERS", 4, h2.fields {
      { ":status", "200" }, { "content-length", "2" } }, 1)
      .. h2.frame("DATA", 1, "ok", 1) }
    steps[#steps + 1] = "hold"
    server:script(steps)
    assert.equal("ok", assert(client:fetch(server.url,
      { method = "PUT", body = piece:rep(20) })).body)
    assert.equal(16, #server:requests())
  end)

  it("is not needed where the server reads", function()
    local nginx = support.nginx()
    assert.equal(200, assert(http.fetch(nginx.https2 .. "/method",
      { method = "PUT", body = piece:rep(20), http_version = "2",
        tls = { ca = nginx.ca }, deadline = 20 })).status)
    server:script { "request", OK, "hold" }
    assert.equal("ok", assert(client:fetch(server.url,
      { method = "PUT", body = piece })).body)
  end)
end)
