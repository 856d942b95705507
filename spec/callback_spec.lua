--- libcurl's callbacks: they are safe from the first option until the cleanup
-- of an easy handle, also while a transfer is being removed. The tests of
-- spec/support/callback_test.c call each callback in each state of a transfer.

local support = require "spec.support"
local http = require "curlew"

describe("Of libcurl,", function()
  for name, passes in support.tests("callback_test") do it(name, passes) end
end)

-- libcurl 8.18.0 and later deliver such a line inside
-- curl_multi_remove_handle.
describe("A transfer in whose headers the server stalls", function()
  local STALLED = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
  local ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
  local server

  before_each(function()
    server = support.server()
    for _ = 1, 2 do
      server:script { "request", { send = STALLED }, "hold" }
    end
    server:script { { loop = { "request", { send = ANSWER } } } }
  end)

  after_each(function()
    server:close()
    assert.is_true(http.leaks.audit())
  end)

  local function assert_ended(code, options)
    for _ = 1, 2 do
      local page, err = http.fetch(server.url, options)
      assert.is_nil(page)
      assert.same({ code, "headers" }, { err.code, err.phase })
    end
    assert.equal("ok", assert(http.fetch(server.url)).body)
  end

  it("can be ended by a timeout", function()
    assert_ended("timeout", { timeout = { idle = 0.3, first_byte = 0.3 } })
  end)

  it("can be ended by a deadline", function()
    assert_ended("timeout", { deadline = 0.3 })
  end)

  it("can be ended with its scope", function()
    do
      local scope <close> = http.scope()
      local tasks = {}
      for i = 1, 2 do tasks[i] = scope:spawn(http.fetch, server.url) end
      repeat http.sleep(0.05) until #server:requests() == 2
      for _, task in ipairs(tasks) do task:cancel() end
    end
    assert.equal("ok", assert(http.fetch(server.url)).body)
  end)

  it("can be ended with the Lua state", function()
    local kind, code, out, err = support.run([[
      local http = require "curlew"
      local scope = http.scope()
      scope:spawn(http.fetch, arg[1])
      http.sleep(0.3)
      print("done")
    ]], { server.url })
    assert.same({ "exit", 0, "done\n" }, { kind, code, out })
    assert.not_matches("AddressSanitizer", err)
  end)
end)
