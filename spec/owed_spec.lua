--- Unsent bytes of a body when the answer is complete: the server must never
-- read the next request as the rest of the body. So the connection is not used
-- again, or the whole body is sent before.

local support = require "spec.support"
local http = require "curlew"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local LARGE = 200 * 1024 -- more than goes out with the header lines

-- After a final 2xx response libcurl sends the body, when it has waited long
-- enough for 100 (Continue); before 8.18.0 it never does.
local SENDS_LATER = support.libcurl >= 0x081200

local server, folder

-- No request here takes long; a fault would wait for ever.
local client

setup(function() folder = support.folder() end)

before_each(function()
  server = support.server()
  client = http.client { deadline = 10 }
end)

after_each(function()
  client:close()
  server:close()
end)

local function answer(status, more)
  return ("HTTP/1.1 %d X\r\n%s\r\n"):format(status, more or "")
end

local function made(bytes)
  local path = folder .. "/sent"
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(bytes))
  return path
end

local function giving(bytes)
  local left = 1
  return function()
    left = left - 1
    return left == 0 and bytes or nil
  end
end

local function without_boundary(body)
  return (body:gsub("%-%-%-%-+%w+", "BOUNDARY"))
end

-- Functions that make the options of a body anew.
local bodies = {
  ["a text"] = function() return { body = "text" } end,
  ["a large text"] = function() return { body = ("x"):rep(LARGE) } end,
  ["a file"] = function() return { file = made("text") } end,
  ["a function"] = function() return { body = giving "text" } end,
  ["a function with its length"] = function()
    return { body = giving "text", length = 4 }
  end,
  ["parts"] = function()
    return { multipart = { { name = "a", "text" } } }
  end,
  ["a part without length"] = function()
    return { multipart = { { name = "a", body = giving "text" } } }
  end,
}

local function put(url, options, more)
  options.method = options.method or "PUT"
  for name, value in pairs(more) do options[name] = value end
  return client:fetch(url, options)
end

-- The server answers the request after its head, records what follows on the
-- connection byte by byte, and gets another request.
local function answered_early(bytes, options, more)
  server:script { "head", { send = bytes }, { loop = { { take = 1 } } } }
  server:script { "request", { send = OK }, { loop = { { take = 1 } } } }
  local page, err = put(server.url, options, more)
  assert(page, err)
  local after = assert(client:fetch(server.url .. "/next"))
  assert.equal("ok", after.body)
  return page
end

-- Checks that the second request came complete, alone on another connection.
local function assert_apart()
  assert.equal(2, server:connections())
  server:closed(1)
  local requests = server:requests()
  assert.equal(2, #requests)
  assert.matches("^GET /next ", requests[2])
end

-- The bytes of a body as they are sent, with the chunks.
local function body_of(make)
  server:replies(OK)
  assert(put(server.url, make(), {}))
  local bytes = server:request():match("\r\n\r\n(.*)$")
  server:reset()
  return bytes
end

-- The same server, but the body comes later, and then the next request.
local function answered_before(bytes, make, more)
  local body = body_of(make)
  server:script { "head", { send = bytes }, { take = #body }, "request",
    { send = OK }, "hold" }
  server:script { "request", { send = OK }, "hold" }
  local page, err = put(server.url, make(), more)
  assert(page, err)
  assert.equal("ok", assert(client:fetch(server.url .. "/next")).body)
  server:request(3) -- waits until the server has read them all
  local requests = server:requests()
  assert.equal(3, #requests)
  -- on two connections they come in any order
  local i = requests[2]:find("^GET /next ") and 2 or 3
  assert.matches("^GET /next ", requests[i])
  assert.equal(without_boundary(body), without_boundary(requests[5 - i]))
  return page
end

-- Checks that body and next request are told apart, by a connection of its own
-- or because the whole body is sent before.
local function assert_told_apart(bytes, make, more)
  local status = math.tointeger(bytes:match("^%S+ (%d+)"))
  local later = SENDS_LATER and status < 300
  local page
  if later then
    page = answered_before(bytes, make, more)
  else
    page = answered_early(bytes, make(), more)
    assert_apart()
  end
  assert.equal(status, page.status)
end

describe("A final answer before the body", function()
  local finals = {
    ["200"] = answer(200, "Content-Length: 2\r\n") .. "no",
    ["200 in chunks"] = answer(200, "Transfer-Encoding: chunked\r\n")
      .. "2\r\nno\r\n0\r\n\r\n",
    ["201 without a body"] = answer(201, "Content-Length: 0\r\n"),
    ["204"] = answer(204),
    ["304"] = answer(304),
    ["413"] = answer(413, "Content-Length: 2\r\n") .. "no",
    ["500"] = answer(500, "Content-Length: 0\r\n"),
  }
  for what, bytes in pairs(finals) do
    for kind, make in pairs(bodies) do
      it(("(%s, with expect) keeps the next request apart from %s")
        :format(what, kind), function()
        assert_told_apart(bytes, make, { expect = true })
      end)
    end
    it(("(%s) keeps it apart with an Expect of the caller's own"):format(what),
      function()
        for _, method in ipairs { "PUT", "POST" } do
          server:reset()
          assert_told_apart(bytes, function()
            return { body = "text", method = method }
          end, { headers = { Expect = "100-continue" } })
        end
      end)
  end

  it("keeps it apart with a client that has expect", function()
    client:close()
    client = http.client { deadline = 10, expect = true }
    assert_told_apart(answer(204), bodies["a text"], {})
  end)

  it("that is larger than what is read ahead does not stop it", function()
    local large = ("x"):rep(300 * 1024)
    for _, kind in ipairs { "a text", "a file", "a function" } do
      server:reset()
      server:script { "head", { send = answer(200, "Content-Length: "
        .. #large .. "\r\n") .. large }, { loop = { { take = 1 } } } }
      local options = bodies[kind]()
      options.expect, options.method = true, "PUT"
      local r <close> = assert(client:request(server.url, options))
      assert.equal(large, r:read("a"))
    end
  end)

  it("ends it where the first byte has not been given", function()
    server:script { "head", { send = answer(413, "Content-Length: 0\r\n") },
      { loop = { { take = 1 } } } }
    server:replies(OK, OK)
    local page = assert(put(server.url, { body = function()
      repeat http.sleep(0.001) until #server:requests() == 1
      http.sleep(0.01)
      return "text"
    end }, {}))
    assert.equal(413, page.status)
    assert.equal("ok", assert(client:fetch(server.url .. "/next")).body)
    -- with the same handle: it has not stayed paused
    assert.equal("ok", assert(put(server.url, { body = "text" }, {})).body)
    assert.equal(2, server:connections())
    server:closed(1)
  end)
end)

describe("After 417 the request without Expect", function()
  local refusal = answer(417, "Content-Length: 2\r\n") .. "no"
  for kind, make in pairs(bodies) do
    it("goes out on another connection: " .. kind, function()
      for _, more in ipairs { { expect = true },
        { headers = { Expect = "100-continue" } },
        { method = "POST", headers = { expect = "100-continue" } } } do
        server:reset()
        server:script { "head", { send = refusal },
          { loop = { { take = 1 } } } }
        server:script { "request", { send = OK }, { loop = { { take = 1 } } } }
        local page, err = put(server.url, make(), more)
        assert(page, err)
        assert.equal("ok", page.body)
        assert.equal(2, server:connections())
        server:closed(1)
        local requests = server:requests()
        assert.equal(2, #requests)
        assert.is_nil(requests[2]:lower():find("\r\nexpect:", 1, true))
        assert.is_truthy(requests[2]:find("text", 1, true)
          or #requests[2] > LARGE)
      end
    end)
  end
end)

describe("A connection is used again", function()
  it("where 100 was waited for, and the body was sent", function()
    server:script { "head", { send = "HTTP/1.1 100 Continue\r\n\r\n" },
      { take = 4 }, { send = OK }, "request", { send = OK }, "hold" }
    assert.equal("ok", assert(put(server.url, { body = "text" },
      { expect = true })).body)
    assert.equal("ok", assert(client:fetch(server.url)).body)
    assert.equal(1, server:connections())
  end)

  it("where the answer came after the body, whatever its kind", function()
    for kind, make in pairs(bodies) do
      server:reset()
      server:script { "request", { send = OK }, "request", { send = OK },
        "hold" }
      assert.equal("ok", assert(put(server.url, make(), {})).body)
      assert.equal("ok", assert(client:fetch(server.url)).body)
      assert.equal(1, server:connections(), kind)
    end
  end)
end)
