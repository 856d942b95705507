--- The documents tell the truth: what is generated is fresh, and the examples
-- of the README run.

local support = require "spec.support"
local http = require "curlew"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function declared(body)
  return ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body)
end

local function examples()
  local found = {}
  for code in read("README.md"):gmatch("```lua\n(.-)```") do
    found[#found + 1] = code
  end
  return found
end

describe("The documents", function()
  it("show the options as the table has them (make doc)", function()
    local _, code, out = support.run(
      'loadfile("script/document.lua")("check")', { "check" })
    assert.equal("", out)
    assert.equal(0, code)
  end)

  it("begin with the ten lines of examples/page.lua", function()
    local page = read("examples/page.lua")
    assert.is_truthy(page:find(examples()[1], 1, true))
  end)

  it("name every function of the interface", function()
    local reference = read("doc/reference.md")
    for name, value in pairs(http) do
      if type(value) == "function" then
        assert.is_truthy(reference:find("`http." .. name, 1, true), name)
      end
    end
  end)

  for i, code in ipairs(examples()) do
    it("have an example " .. i .. " that runs", function()
      local rock = code:match 'http%.loop "(%w+)"'
      if rock and not support.has_rock(rock) then return end
      local nginx = support.nginx()
      local server <close> = support.server()
      local ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
      local no = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
      local large = ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(
        100000) .. ("x"):rep(100000)
      local reply = code:find("/missing", 1, true) and no
        or code:find("/large", 1, true) and large
        or code:find("/data", 1, true) and declared('{"name":"curlew"}')
        or code:find("/log", 1, true) and declared("3 lines\nx error\nthe end")
        or ok
      server:script { { loop = { "request", { send = reply } } } }
      local certificates = support.certificates()
      local setting = ([[
        local url, secure, ca, path = %q, %q, %q, arg[0]
        local hash_of_key, hash_of_next_key = %q, %q
        local proxy, address, socket = %q, %q, %q
        local http = require "curlew"
        local function example() %s
        end
        example()
      ]]):format(server.url, nginx.https, certificates.ca,
        certificates.pin:sub(9), certificates.other_pin:sub(9), server.url,
        nginx.http:sub(8), nginx.socket, code)
      local kind, status, _, err = support.run(setting,
        { server.url })
      assert.same({ "exit", 0, }, { kind, status }, err)
    end)
  end

  it("have an adapter that a loop of callbacks does the waiting by", function()
    local nginx = support.nginx()
    local adapter = read("doc/reference.md"):match(
      "### Event loops.-```lua\n(.-)```")
    local kind, status, out, err = support.run([[
      local http = require "curlew"
      local posix = require "posix_support"
      local url = ...

      local loop, watched, timers = {}, nil, {}

      function loop.on_readable(fd, call)
        watched = { fd = fd, call = call }
        return { stop = function() watched = nil end }
      end

      function loop.after(seconds, call)
        local timer = { at = posix.monotonic() + seconds, call = call }
        timers[timer] = true
        return { stop = function() timers[timer] = nil end }
      end

      local function earliest()
        local first
        for timer in pairs(timers) do
          if not first or timer.at < first.at then first = timer end
        end
        return first
      end

      function loop.run()
        while watched or next(timers) do
          local timer = earliest()
          local left = timer and math.max(timer.at - posix.monotonic(), 0)
          if posix.poll(watched and watched.fd, left) then
            watched.call()
          elseif timer then
            timers[timer] = nil
            timer.call()
          end
        end
      end

      do ]] .. adapter .. [[ end

      local function begin(name)
        coroutine.wrap(function()
          io.write(name, " begins\n")
          local scope <close> = http.scope()
          local sizes = {}
          local task = scope:spawn(function()
            for path, page in http.map({ "/small", "/1k" }, function(path)
              return assert(http.fetch(url .. path))
            end) do sizes[path] = #page.body end
          end)
          http.sleep(0.001)
          task:wait()
          io.write(name, " ends ", sizes["/small"] + sizes["/1k"], "\n")
        end)()
      end

      begin("a")
      begin("b")
      coroutine.wrap(function() http.sleep(0) error("gone", 0) end)()
      print(pcall(http.fetch, url .. "/small"))
      loop.run()
      io.write("ended ", http.stats().open, "\n")
    ]], { nginx.http, seconds = 20 })
    assert.same({ "exit", 0 }, { kind, status }, err)
    assert.matches("^a begins\nb begins\nfalse\t.-outside a coroutine.-\n"
      .. "[ab] ends 1044\n[ab] ends 1044\nended 0\n$", out)
  end)

  it("have an example that tells who forgot", function()
    local server <close> = support.server()
    server:script { "request", { send = "HTTP/1.1 200 OK\r\n"
      .. "Content-Length: 100000\r\n\r\n" }, "hold" }
    local code
    for _, one in ipairs(examples()) do
      if one:find("leaks.open", 1, true) then code = one end
    end
    local _, status, out, err = support.run(
      'local http = require "curlew" local url = arg[1] ' .. code,
      { server.url })
    assert.equal(0, status)
    assert.matches("still open.*released by the collector.*1\n$", out)
    assert.matches("1 of 1 responses leaked", err)
  end)
end)
