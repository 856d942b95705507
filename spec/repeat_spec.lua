--- Requests that are sent twice without a retry: a reused connection ends
-- without an answer. Only a request that is idempotent (RFC 9110 section
-- 9.2.2), or that the server has not processed, is sent again.

local support = require "spec.support"
local h2 = require "spec.support.http2"
local http = require "curlew"

local OK = { send = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" }
local LARGE = 200 * 1024 -- more than goes out with the header lines

local client, server

local function start(options)
  server = support.server(options)
  client = http.client { deadline = 10,
    tls = options and { ca = support.certificates().ca } }
end

after_each(function()
  client:close()
  server:close()
  assert.is_true(http.leaks.audit())
end)

local function giving(bytes)
  local left = 1
  return function()
    left = left - 1
    return left == 0 and bytes or nil
  end
end

local function ask(method, options)
  options.method = method
  return client:fetch(server.url .. "/asked", options)
end

-- Opens a connection whose next request is read and not answered.
local function spoil(ending)
  server:script { "request", OK, "request", ending }
  server:script { { loop = { "request", OK } } }
  assert(client:fetch(server.url .. "/first"))
end

local transports = {
  plain = function() start() end,
  TLS = function() start { tls = support.certificates().good } end,
}

for transport, begin in pairs(transports) do
  describe("Over " .. transport .. ", a request without an answer", function()
    before_each(begin)

    local bodies = {
      ["no body"] = function() return {} end,
      ["a text"] = function() return { body = "text" } end,
      ["a large text"] = function() return { body = ("x"):rep(LARGE) } end,
      ["a form"] = function() return { form = { a = "b" } } end,
      ["parts"] = function() return { multipart = { { name = "a", "b" } } } end,
      ["a function"] = function() return { body = giving "text" } end,
    }
    for _, ending in ipairs { "close", "reset" } do
      for kind, make in pairs(bodies) do
        for _, method in ipairs { "POST", "PATCH", "LOCK" } do
          it(("is not repeated: %s, %s, %s"):format(method, kind, ending),
            function()
              spoil(ending)
              local page, err = ask(method, make())
              assert.is_nil(page)
              assert.equal("closed", err.code)
              assert.equal(1, err.attempts)
              assert.equal(kind ~= "a function", err.retryable)
              assert.equal(2, #server:requests())
            end)
        end
      end

      for _, method in ipairs { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" } do
        it(("is repeated: %s, %s"):format(method, ending), function()
          spoil(ending)
          local r <close> = assert(client:request(server.url,
            { method = method }))
          assert.equal(200, r.status)
          assert.equal(2, r.info.attempts)
          assert.equal(3, #server:requests())
        end)
      end
    end

    -- libcurl 8.7.0 to 8.15.0 keeps the intention to send the body again in the
    -- easy handle.
    it("leaves the next requests alone if it cannot be repeated", function()
      spoil "close"
      local left = { "some", "more" }
      local page, err = ask("PUT",
        { body = function() return table.remove(left) end })
      assert.is_nil(page)
      assert.same({ "closed", false }, { err.code, err.retryable })
      collectgarbage()
      for _ = 1, 3 do
        assert.equal("ok", assert(client:fetch(server.url)).body)
        assert.equal("ok", assert(ask("PUT", { body = "text" })).body)
      end
    end)

    it("is made again by retry if that is unsafe, and only then", function()
      spoil "close"
      local _, err = ask("POST", { body = "a", retry = 1 })
      assert.same({ "closed", 1 }, { err.code, err.attempts })
      assert.equal(2, #server:requests())
      server:reset()
      spoil "close"
      local retry = { times = 1, unsafe = true, max_delay = 0.001 }
      assert(ask("POST", { body = "a", retry = retry }))
      assert.equal(3, #server:requests())
    end)

    it("is counted besides the retries that are allowed", function()
      server:script { "request", OK, "request", "close" }
      server:script { "request", "close" }
      server:script { "request", OK, "hold" }
      assert(client:fetch(server.url .. "/first"))
      local r <close> = assert(client:get(server.url,
        { retry = { times = 1, max_delay = 0.001 } }))
      assert.equal(200, r.status)
      assert.equal(3, r.info.attempts)
      assert.equal(4, #server:requests())
    end)

    it("says so where the server has gone, too", function()
      local kept, err = server, nil
      client:close()
      begin()
      server:script { "request", OK, "request", "hold" }
      assert(client:fetch(server.url .. "/first"))
      do
        local scope <close> = http.scope()
        local task = scope:spawn(function()
          err = select(2, ask("POST", { body = "a" }))
        end)
        repeat http.sleep(0.001) until #server:requests() == 2
        server:close()
        task:wait()
      end
      server = kept
      assert.same({ "closed", 1 }, { err.code, err.attempts })
    end)
  end)
end

describe("A request that ends on a connection of its own", function()
  before_each(function() start() end)

  it("is not repeated, whatever its method", function()
    for _, method in ipairs { "GET", "POST" } do
      server:reset()
      server:script { "request", "close" }
      local _, err = ask(method, {})
      assert.same({ "closed", 1 }, { err.code, err.attempts })
      assert.equal(1, #server:requests())
    end
  end)
end)

describe("After a 417 a body of which a part was sent", function()
  before_each(function() start() end)

  -- libcurl waits a second for 100 and then begins to send.
  local function begun(options)
    server:script { "head", { take = 70000 }, { send = "HTTP/1.1 417 No\r\n"
      .. "Content-Length: 0\r\n\r\n" }, "close" }
    server:script { "request", OK, "hold" }
    options.expect = true
    return ask("PUT", options)
  end

  -- A text that is larger than the socket buffers of both sides.
  local text = ("0123456789"):rep(2000000)

  local function assert_whole()
    local requests = server:requests()
    assert.equal(3, #requests)
    assert.is_true(requests[3]:sub(-#text) == text, "the bytes differ")
  end

  it("is sent from its beginning: a text", function()
    assert.equal(200, assert(begun { body = text }).status)
    assert_whole()
  end)

  it("is sent from its beginning: a file", function()
    local path = support.folder() .. "/sent"
    do
      local file <close> = assert(io.open(path, "wb"))
      assert(file:write(text))
    end
    assert.equal(200, assert(begun { file = path }).status)
    assert_whole()
  end)

  it("is not sent again where a function has gone on", function()
    local n = 0
    local page, err = begun { length = #text, body = function()
      n = n + 1
      return n <= 1000 and text:sub(1, #text // 1000) or nil
    end }
    assert.is_nil(page)
    assert.same({ "closed", false }, { err.code, err.retryable })
    assert.equal(2, #server:requests())
  end)
end)

describe("Over HTTP/2", function()
  local FINE = { send = h2.headers(200) .. h2.data("ok", true) }

  before_each(function()
    start { tls = support.certificates().good, http2 = true }
  end)

  local function over2(method, options)
    options = options or {}
    options.http_version = "2"
    return ask(method, options)
  end

  it("a POST on a used connection that ends is not repeated", function()
    for _, ending in ipairs { "close", "reset" } do
      server:reset()
      server:script { "request", FINE, "request", ending }
      server:script { { loop = { "request", FINE } } }
      assert(over2("GET"))
      local page, err = over2("POST", { body = "text" })
      assert.is_nil(page)
      assert.same({ true, 1 }, { err.retryable, err.attempts })
      assert.equal(2, #server:requests())
    end
  end)

  it("a GET is, and is counted", function()
    for _, ending in ipairs { "close", "reset" } do
      server:reset()
      server:script { "request", FINE, "request", ending }
      server:script { { loop = { "request", FINE } } }
      assert(over2("GET"))
      local r <close> = assert(client:get(server.url, { http_version = "2" }))
      assert.same({ 200, 2 }, { r.status, r.info.attempts })
      assert.equal(3, #server:requests())
    end
  end)

  it("a POST that the server has declined is repeated", function()
    server:script { "request", { send = h2.reset("REFUSED_STREAM") }, "hold" }
    server:script { { loop = { "request", FINE } } }
    assert.equal(200, assert(over2("POST", { body = "text" })).status)
    assert.equal(2, #server:requests())
  end)

  it("a POST is not where a used connection may have been the cause", function()
    server:script { "request", FINE, "request",
      { send = h2.reset("REFUSED_STREAM") }, "hold" }
    server:script { { loop = { "request", FINE } } }
    assert(over2("GET"))
    local page, err = over2("POST", { body = "text" })
    assert.is_nil(page)
    assert.same({ "closed", true, 1 }, { err.code, err.retryable,
      err.attempts })
    assert.equal(2, #server:requests())
  end)
end)

describe("Many requests of one client", function()
  -- libcurl before 8.17.0 counts the repetitions of an easy handle.
  before_each(transports.plain)

  it("are repeated, however many there are", function()
    server:script { "request", OK, "request", "close" }
    for i = 1, 10 do
      local page = assert(client:fetch(server.url))
      assert.equal(i == 1 and 1 or 2, page.info.attempts)
    end
  end)
end)
