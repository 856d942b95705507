--- download: the fate of a part when the server refuses the request for the
-- rest of the file.

local support = require "spec.support"
local http = require "curlew"

local server, folder, path, part, meta

before_each(function()
  server = support.server()
  folder = support.folder()
  path = folder .. "/file"
  part, meta = path .. ".part", path .. ".part.meta"
end)

after_each(function() server:close() end)

local function read(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read("a")
end

-- The names in the folder.
local function names()
  local _, out = support.command("ls", "-A", folder)
  return out
end

-- Two bodies of the same size that differ in every byte.
local SIZE, CUT = 200000, 100000
local A, B = ("a"):rep(SIZE), ("b"):rep(SIZE)
local FIRST = CUT - 1 -- the last byte is asked for again
local TAG = { ETag = '"one"' }

local function response(status, body, lines)
  local out = { ("HTTP/1.1 %s\r\nContent-Length: %d"):format(status, #body) }
  for name, value in pairs(lines or {}) do
    out[#out + 1] = ("%s: %s"):format(name, value)
  end
  return table.concat(out, "\r\n") .. "\r\n\r\n" .. body
end

-- A response with all of the body, cut after 'n' bytes of it.
local function cut(body, n, lines)
  return response("200 OK", body, lines):sub(1, n - #body - 1)
end

local function rest(body, first, lines)
  local all = { ["Content-Range"] = ("bytes %d-%d/%d"):format(first, #body - 1,
    #body) }
  for name, value in pairs(lines) do all[name] = value end
  return response("206 Partial Content", body:sub(first + 1), all)
end

-- Sends the answers one after the other, each on its own connection; the last
-- one repeats.
local function answer(...)
  server:reset()
  for _, bytes in ipairs { ... } do server:reply(bytes) end
end

local function go_on(options)
  return http.download(server.url, path, options)
end

local function interrupt()
  answer(cut(A, CUT, TAG))
  assert.equal("truncated", select(2, go_on()).code)
  assert.is_true(read(part) == A:sub(1, CUT))
end

local function assert_whole(body, file, resumed)
  assert.same({ path = path, bytes = #body, resumed = resumed or false }, file)
  assert.is_true(read(path) == body)
  assert.equal("file\n", names())
  assert.equal(0, http.stats().open)
end

local function header(request, name)
  return request:match("\r\n" .. name:gsub("%-", "%%-") .. ": ([^\r]*)\r\n")
end

describe("The part of a download", function()
  it("begins anew when its precondition fails", function()
    interrupt()
    answer(response("412 Precondition Failed", ""),
      response("200 OK", B, { ETag = '"two"' }))
    assert_whole(B, assert(go_on()))
    local requests = server:requests()
    assert.equal(2, #requests)
    assert.equal("bytes=99999-", header(requests[1], "Range"))
    assert.is_nil(header(requests[2], "Range"))
    assert.is_nil(header(requests[2], "If-Range"))
  end)

  it("begins anew where the server fails by the range", function()
    for _, check in ipairs { true, function(r) return r.ok end,
      function() return true end } do
      interrupt()
      answer(response("500 Internal Server Error", ""),
        response("200 OK", B, { ETag = '"two"' }))
      assert_whole(B, assert(go_on { check = check }))
      local requests = server:requests()
      assert.equal(2, #requests)
      assert.equal("bytes=99999-", header(requests[1], "Range"))
      assert.is_nil(header(requests[2], "Range"))
      assert.is_nil(header(requests[2], "If-Range"))
    end
  end)

  it("is kept until all of it comes, once the server has failed", function()
    for _, second in ipairs { response("500 Oh", ""), response("404 No", ""),
      response("416 Range Not Satisfiable", ""), "HTTP/1.1 204 N\r\n\r\n",
      rest(B, FIRST, TAG), "HTTP/1.1 200 O" } do
      interrupt()
      answer(response("500 Internal Server Error", ""), second)
      assert.is_nil((go_on()))
      assert.equal(2, #server:requests())
      assert.is_true(read(part) == A:sub(1, CUT))
      answer(rest(A, FIRST, TAG))
      assert_whole(A, assert(go_on()), true)
      assert.equal("bytes=99999-", header(server:request(), "Range"))
      os.remove(path)
    end
  end)

  it("is what came of all of it, once that has begun", function()
    interrupt()
    answer(response("500 Internal Server Error", ""),
      cut(B, 50000, { ETag = '"two"' }))
    assert.equal("truncated", select(2, go_on()).code)
    assert.is_true(read(part) == B:sub(1, 50000))
    answer(rest(B, 49999, { ETag = '"two"' }))
    assert_whole(B, assert(go_on()), true)
  end)

  it("begins anew once, however often it is tried", function()
    local retry = { times = 3, max_delay = 0.001 }
    for _, refusal in ipairs { "412 Precondition Failed", "416 No Range" } do
      interrupt()
      answer(response(refusal, ""), cut(B, CUT, TAG), response(refusal, ""))
      local err = select(2, go_on { retry = retry })
      assert.equal("status", err.code)
      assert.equal(3, #server:requests())
      os.remove(part)
      os.remove(meta)
    end
  end)

  it("is kept, and asked for as before, after other failures", function()
    for _, status in ipairs { "400 Bad Request", "403 No", "501 No",
      "502 Bad Gateway", "503 Later" } do
      interrupt()
      answer(response(status, ""))
      assert.equal("status", select(2, go_on()).code)
      assert.equal(1, #server:requests())
      assert.is_true(read(part) == A:sub(1, CUT))
    end
  end)
end)
