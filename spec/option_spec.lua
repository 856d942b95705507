--- The options: their table as data, what it refuses, and the baseline rule.
-- Generated from features().options: a row without a sample here is a failure.

local support = require "spec.support"
local http = require "curlew"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local HERE = debug.getinfo(1, "S").short_src

local rows = http.features().options

local function full_name(row)
  return row.group and row.group .. "." .. row.name or row.name
end

-- The options table that gives this row this value.
local function given(row, value)
  if not row.group then return { [row.name] = value } end
  return { [row.group] = { [row.name] = value } }
end

-- ---- a sample of each row ----

-- set: the option as a script has it; it is felt by the request that has it.
-- ask: the url that is asked for, `url` (the canned-bytes server's) unless
-- said. answers: the server's script. probe: what the next request has
-- besides, so that it ends, or gets as far as the option. off: what takes it
-- away, unless that is `false` in the place of its value. unheard: no request
-- that has it reaches the server.
local SILENT = { "request", "hold" }
local MUTE_BODY = { "request",
  { send = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" }, "hold" }
local NOT_FOUND = { "request", { send = "HTTP/1.1 404 Not Found\r\n"
  .. "Content-Length: 4\r\n\r\nlost" }, "close" }

local LATER = { "request", { send = "HTTP/1.1 503 Later\r\n"
  .. "Retry-After: 0\r\nContent-Length: 0\r\n\r\n" },
  "request", { send = OK }, "close" }
-- Each request is challenged, since no answer may depend on the challenge of
-- another request.
local CHALLENGE = { { loop = { "request", { send = "HTTP/1.1 401 No\r\n"
  .. "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n"
  .. "Content-Length: 0\r\n\r\n" } } } }
local TRUSTING = "tls = { ca = peer.ca }" -- what is set says that, too

local samples = {
  ["auth.basic"] = { { set = "auth = { basic = { 'user', 'word' } }" } },
  ["auth.bearer"] = {
    { set = "auth = { bearer = 'token' }" },
    { set = "auth = { bearer = function() return 'token' end }" },
  },
  ["auth.digest"] = { { set = "auth = { digest = { 'user', 'word' } }",
    answers = CHALLENGE } },
  ["auth.netrc"] = { { set = "auth = { netrc = true }", unfelt = true } },
  base_url = { { set = "base_url = url .. '/v1'", ask = "'users'" } },
  body = {
    { set = "method = 'POST', body = 'text'", door = "request" },
    { set = "method = 'PUT', body = function() end", door = "request" },
  },
  buffer = { { set = "buffer = 65536", unfelt = true } },
  check = {
    { set = "check = true", answers = NOT_FOUND },
    { set = "check = function() return false end" },
  },
  deadline = { { set = "deadline = 0.05", answers = SILENT,
    probe = "timeout = 0.2" } },
  decode = { { set = "decode = false" } },
  expect = { { set = "expect = true",
    probe = "method = 'PUT', body = 'text'" } },
  file = { { set = "method = 'PUT', file = arg[0]" } },
  form = { { set = "method = 'POST', form = { a = 'b' }" } },
  headers = {
    { set = "headers = { ['X-Sample'] = 'value' }" },
    { set = "headers = { Accept = false }" },
    { set = "headers = { { 'User-Agent', 'me' }, { 'Cookie', 'a=b' } }" },
    { set = "headers = { { 'X-Sample', '' } }" },
  },
  http_version = {
    { set = "http_version = '1.1'", unfelt = true },
    -- no connection stays: what stands serves whoever offers no less
    { set = "http_version = '2'", ask = "peer.https2",
      probe = "tls = { ca = peer.ca }" },
  },
  json = { { set = "method = 'POST', json = { a = 1 }" } },
  length = { { set = "method = 'PUT', length = 0, body = function() end" } },
  interface = {
    { set = "interface = 'none-such'", unheard = true },
    { set = "interface = '127.0.0.1'", unfelt = true },
  },
  ip = {
    { set = "ip = 6", unheard = true },
    { set = "ip = 4", unfelt = true },
  },
  max_body = { { set = "max_body = 1" } },
  method = {
    { set = "method = 'SAMPLE'" },
    { set = "method = 'HEAD'" },
    { set = "method = 'POST'" },
  },
  multipart = { { set = "method = 'POST', "
    .. "multipart = { { name = 'a', 'b' } }" } },
  on_end = { { set = "on_end = function() end", unfelt = true } },
  progress = { { set = "progress = function() return false end" } },
  query = { { set = "query = { sample = 'value' }" } },
  redirects = { { set = "redirects = 0", ask = "peer.moved" } },
  ["retry.max_delay"] = { { set = "retry = { max_delay = 1 }",
    unfelt = true } },
  ["retry.on"] = { { set = "retry = { on = { 404, 'tls' } }", unfelt = true } },
  ["retry.times"] = { { set = "retry = 1", answers = LATER } },
  ["retry.unsafe"] = { { set = "retry = { unsafe = true }", unfelt = true } },
  secret_headers = { { set = "secret_headers = { 'X-Key' }", unfelt = true } },
  per_host = { { set = "per_host = 1", unfelt = true } },
  proxy = {
    { set = "proxy = url" },
    { set = "proxy = 'http://user:word@' .. url:sub(8)",
      ask = "'http://name.none/'" },
    { set = "proxy = 'http://127.0.0.1:1'", unheard = true },
    { set = "proxy = false", unfelt = true },
  },
  resolve = {
    { set = "resolve = { ['name.none'] = '127.0.0.1:' .. url:match('%d+$') }",
      ask = "'http://name.none/'" },
    { set = "resolve = { ['127.0.0.1:' .. url:match('%d+$')] = '127.0.0.1:1' }",
      unheard = true },
  },
  sealed = { { set = "sealed = true", unfelt = true } },
  sha256 = {}, -- not of a request, but of the file that comes of it
  ["timeout.connect"] = { { set = "timeout = { connect = 0.05 }",
    ask = "(url:gsub('^http', 'https'))", answers = { "hold" },
    probe = "deadline = 0.2" } },
  ["timeout.first_byte"] = { { set = "timeout = { first_byte = 0.05 }",
    answers = SILENT, probe = "deadline = 0.2" } },
  ["timeout.idle"] = { { set = "timeout = { idle = 0.05 }",
    answers = MUTE_BODY, probe = "deadline = 0.2" } },
  ["tls.ca"] = {
    { set = "tls = { ca = peer.ca }", ask = "peer.https" },
    { set = "tls = { ca = peer.pem }", ask = "peer.https" },
    { set = "tls = { ca = peer.folder }", ask = "peer.https" },
    { set = "tls = { ca = { 'system', peer.ca } }", ask = "peer.https" },
  },
  ["tls.cert"] = {
    { set = "tls = { ca = peer.ca, cert = peer.cert, key = peer.key }",
      ask = "peer.asks", probe = TRUSTING },
    { set = "tls = { ca = peer.ca, cert = peer.both }", ask = "peer.asks",
      probe = TRUSTING },
  },
  ["tls.key"] = { { ask = "peer.asks", probe = TRUSTING,
    set = "tls = { ca = peer.ca, cert = peer.cert, key = peer.key }",
    off = "tls = { cert = false }" } },
  ["tls.key_password"] = { { ask = "peer.asks", probe = TRUSTING,
    set = "tls = { ca = peer.ca, cert = peer.cert, key = peer.encrypted, "
      .. "key_password = peer.password }",
    off = "tls = { cert = false }" } },
  ["tls.max"] = { { set = "tls = { ca = peer.ca, max = '1.2' }",
    ask = "peer.only_1_3", probe = TRUSTING } },
  ["tls.min"] = { { set = "tls = { ca = peer.ca, min = '1.3' }",
    ask = "peer.only_1_2", probe = TRUSTING } },
  ["tls.pin"] = {
    { set = "tls = { ca = peer.ca, pin = peer.other_pin }",
      ask = "peer.https", probe = TRUSTING },
    { set = "tls = { ca = peer.ca, pin = { peer.other_pin } }",
      ask = "peer.https", probe = TRUSTING },
  },
  ["tls.unclean_close"] = { { set = "tls = { unclean_close = true }",
    unfelt = true } }, -- felt in truncated_spec.lua
  ["tls.verify"] = {
    { set = "tls = { verify = false }", ask = "peer.https" },
    { set = "tls = { verify = false }", ask = "peer.wrong_name" },
    { set = "tls = { verify = false }", ask = "peer.expired" },
  },
  trace = { { set = "trace = io.tmpfile()", unfelt = true } },
  unix = { { set = "unix = 'no/such/socket'", unheard = true } },
  url = {}, -- there is no request without one
  user_agent = { { set = "user_agent = 'a sample'" } },
}

describe("The options table", function()
  local kinds = { "4 or 6", "any value", "boolean", "boolean or function",
    "function", "integer", "list of names", "list of parts",
    "list of statuses and error codes", "open file", "path or PEM text",
    "path or file", "path, PEM text or list", "seconds", "string",
    "string or function", "string or list", "table", "table of addresses",
    "url or false", "{user, password}" }
  local known = {}
  for _, kind in ipairs(kinds) do known[kind] = true end

  it("is in the order of the full names", function()
    local names = {}
    for i, row in ipairs(rows) do names[i] = full_name(row) end
    local sorted = table.move(names, 1, #names, 1, {})
    table.sort(sorted)
    assert.same(sorted, names)
  end)

  it("has no name twice, and no group with the name of a row", function()
    local seen = {}
    for _, row in ipairs(rows) do
      assert.is_nil(seen[full_name(row)])
      seen[full_name(row)] = true
    end
    for _, row in ipairs(rows) do
      assert.is_nil(row.group and seen[row.group])
    end
  end)

  it("has a sample of each row in this spec, and none besides", function()
    local have, wanted = {}, {}
    for name in pairs(samples) do have[name] = true end
    for _, row in ipairs(rows) do wanted[full_name(row)] = true end
    assert.same(wanted, have)
  end)

  it("names libcurl's options as libcurl does", function()
    local code, known_names = support.command("sh", "-c",
      "echo '#include <curl/curl.h>' | ${CC:-cc} -E "
      .. "$(pkg-config --cflags libcurl) -")
    assert.equal(0, code)
    local count = 0
    for _, row in ipairs(rows) do
      if row.libcurl then
        assert.matches("%f[%w_]CURLOPT_" .. row.libcurl .. "%f[^%w_]",
          known_names)
        count = count + 1
      end
    end
    assert.is_true(count >= 7)
  end)

  for _, row in ipairs(rows) do
    it("says all of " .. full_name(row), function()
      assert.is_true(known[row.kind])
      assert.matches("%w", row.doc)
      assert.is_boolean(row.requests_only)
      assert.is_boolean(row.clients_only)
      assert.is_boolean(row.unsealed)
      local ranged = row.kind == "seconds" or row.kind == "integer"
      assert.equal(ranged, row.min ~= nil and row.max ~= nil)
      assert.is_true(not ranged or row.min < row.max)
    end)
  end
end)

-- ---- what is refused ----

describe("An option", function()
  local server, client, path
  local at -- the line that the last door called from

  setup(function()
    server = support.server()
    client = http.client()
    path = support.folder() .. "/file"
  end)
  teardown(function()
    client:close()
    server:close()
  end)
  before_each(function() server:reset():reply(OK) end)

  local function next_line()
    at = debug.getinfo(2, "l").currentline + 1
  end

  -- Where options go in; each calls from a line of its own.
  local doors = {
    ["http.get"] = function(options)
      next_line()
      local r, err = http.get(server.url, options)
      return r, err
    end,
    ["http.head"] = function(options)
      next_line()
      local r, err = http.head(server.url, options)
      return r, err
    end,
    ["http.request"] = function(options)
      if options.url == nil then options[1] = server.url end
      next_line()
      local r, err = http.request(options)
      return r, err
    end,
    ["http.fetch"] = function(options)
      next_line()
      local page, err = http.fetch(server.url, options)
      return page, err
    end,
    ["http.download"] = function(options)
      next_line()
      local file, err = http.download(server.url, path, options)
      return file, err
    end,
    ["client:download"] = function(options)
      next_line()
      local file, err = client:download(server.url, path, options)
      return file, err
    end,
    ["client:get"] = function(options)
      next_line()
      local r, err = client:get(server.url, options)
      return r, err
    end,
    ["client:request"] = function(options)
      if options.url == nil then options[1] = server.url end
      next_line()
      local r, err = client:request(options)
      return r, err
    end,
    ["http.client"] = function(options)
      next_line()
      local c = http.client(options)
      return c
    end,
    ["client:extend"] = function(options)
      next_line()
      local c = client:extend(options)
      return c
    end,
  }
  local makes_client = { ["http.client"] = true, ["client:extend"] = true }
  local downloads = { ["http.download"] = true, ["client:download"] = true }
  local takes_method = { ["http.request"] = true, ["http.fetch"] = true,
    ["client:request"] = true }

  local function fits(row, door)
    if row.name == "url" then
      return door == "http.request" or door == "client:request"
    end
    if row.name == "method" then return takes_method[door] end
    if row.clients_only then return makes_client[door] end
    if row.name == "sha256" then return downloads[door] end
    return not (row.requests_only and makes_client[door])
  end

  -- Nothing was sent, nothing is open, nothing was begun.
  local function assert_untouched(before)
    local after = http.stats()
    assert.equal(0, server:connections())
    assert.equal(before.opened, after.opened)
    assert.equal(before.open, after.open)
  end

  local function it_refuses(name, f)
    it(name, function()
      local before = http.stats()
      f()
      assert_untouched(before)
    end)
  end

  -- The call raises a string that begins with its caller's line and has each
  -- of these plain texts. (luassert only where it fails: there are thousands,
  -- and the suite also runs with a collector that never rests.)
  local function assert_raises(door, options, ...)
    local ok, message = pcall(doors[door], options)
    if ok or type(message) ~= "string" then
      assert.equal(door .. " raises", { ok, message })
    end
    local site = ("%s:%d: "):format(HERE, at)
    if message:sub(1, #site) ~= site then assert.equal(site, message) end
    for i = 1, select("#", ...) do
      local text = select(i, ...)
      if not message:find(text, 1, true) then assert.equal(text, message) end
    end
  end

  -- Makes fresh options for each door that the row goes through.
  local function assert_row_refuses(row, value, ...)
    for door in pairs(doors) do
      if fits(row, door) then
        assert_raises(door, given(row, value), ...)
      end
    end
  end

  local function quoted(row)
    return row.name == "url" and "url: " or "option '" .. full_name(row) .. "'"
  end

  local values = {
    boolean = true,
    number = 5,
    string = "text",
    table = {},
    ["function"] = print,
    thread = coroutine.create(print),
    userdata = io.stdout,
  }
  local takes = {
    ["any value"] = setmetatable({}, { __index = function() return true end }),
    ["function"] = { ["function"] = true },
    ["open file"] = { userdata = true },
    ["list of names"] = { table = true },
    ["list of parts"] = { table = true },
    ["list of statuses and error codes"] = { table = true },
    ["path or file"] = { string = true, userdata = true },
    ["string or function"] = { string = true, ["function"] = true },
    ["{user, password}"] = {},
    ["4 or 6"] = { number = true }, -- another number is told, not its type
    boolean = { boolean = true },
    ["boolean or function"] = { boolean = true, ["function"] = true },
    integer = { number = true },
    ["path or PEM text"] = { string = true },
    ["path, PEM text or list"] = { string = true, table = true },
    ["string or list"] = { string = true, table = true },
    seconds = { number = true },
    string = { string = true },
    table = { table = true },
    ["table of addresses"] = { table = true },
    ["url or false"] = { string = true, boolean = true },
  }

  local wrong_numbers = {
    seconds = { 0 / 0, 1 / 0, -1 / 0, -1, 0, 1e300 },
    integer = { 0 / 0, 1 / 0, -1 / 0, -1, 1.5, 1e300, math.maxinteger,
      math.mininteger },
  }

  -- Both ends of the range stand in the message, as numbers.
  local function assert_names_range(row, message)
    local low, high = message:match("from (%S+) to (%S+) expected")
    assert.equal(row.min, tonumber(low))
    assert.is_true(math.abs(tonumber(high) - row.max) <= row.max * 1e-12)
  end

  local is_text = { string = true, ["path or PEM text"] = true,
    ["path, PEM text or list"] = true, ["string or list"] = true,
    ["url or false"] = true }

  for _, row in ipairs(rows) do
    local name = full_name(row)

    it_refuses("of a wrong kind is refused: " .. name, function()
      for kind, value in pairs(values) do
        if not takes[row.kind][kind] then
          assert_row_refuses(row, value, quoted(row),
            row.kind .. " expected, got " .. kind)
        end
      end
    end)

    for _, number in ipairs(wrong_numbers[row.kind] or {}) do
      it_refuses(("out of its range is refused: %s = %s"):format(name, number),
        function()
          assert_row_refuses(row, number, quoted(row),
            row.kind .. " from ", " expected, got ")
          local _, message = pcall(doors["http.get"], given(row, number))
          assert_names_range(row, message)
        end)
    end

    if wrong_numbers[row.kind] then
      it("next to the ends of its range is refused: " .. name, function()
        local step = row.kind == "integer" and 1 or row.min / 1000
        assert_row_refuses(row, row.min - step, quoted(row))
        assert_row_refuses(row, row.max * (1 + 1e-9), quoted(row))
      end)
    end

    it_refuses("with nearly the name is told it: " .. name, function()
      local wrong = { row.name .. row.name:sub(-1), row.name:sub(1, 1):upper()
        .. row.name:sub(2) }
      for _, near in ipairs(wrong) do
        local typo = { name = near, group = row.group }
        for door in pairs(doors) do
          assert_raises(door, given(typo, samples[name]),
            "unknown option '" .. full_name(typo) .. "'",
            "did you mean '" .. name .. "'")
        end
      end
    end)

    if is_text[row.kind] and row.name ~= "url" and not row.choices then
      it_refuses("with a control byte is refused: " .. name, function()
        for code = 0, 32 do
          local byte = string.char(code == 32 and 127 or code)
          if byte ~= "\t" then
            assert_raises("http.fetch", given(row, "a" .. byte .. "b"),
              quoted(row))
            assert_raises("http.fetch", given(row, "a" .. byte), quoted(row))
          end
        end
      end)

      it_refuses("with a line's end or a NUL is refused: " .. name, function()
        for _, text in ipairs { "a\r\nX: b", "a\n", "\r", "a\0" } do
          assert_row_refuses(row, text, quoted(row))
        end
      end)

      it_refuses("that is an empty text is refused: " .. name, function()
        assert_row_refuses(row, "", quoted(row))
      end)
    end

    if row.choices then
      it_refuses("that is none of the choices is refused: " .. name, function()
        local choice = row.choices[1]
        for _, other in ipairs { "9", choice .. "0", " " .. choice,
          choice .. "\0" } do
          assert_row_refuses(row, other, quoted(row),
            ('one of "%s"'):format(choice))
        end
      end)
    end

    if row.requests_only then
      it_refuses("of requests is refused by a client: " .. name, function()
        for door in pairs(makes_client) do
          assert_raises(door, given(row, "X"), "option '" .. name .. "'")
        end
      end)
    end
  end

  local groups = {}
  for _, row in ipairs(rows) do
    if row.group then
      groups[row.group] = groups[row.group] or {}
      table.insert(groups[row.group], row)
    end
  end

  for group, members in pairs(groups) do
    it_refuses("that is a group and empty is refused: " .. group, function()
      for door in pairs(doors) do
        assert_raises(door, { [group] = {} }, "option '" .. group .. "'",
          "empty")
      end
    end)

    it_refuses("that is a group takes names only: " .. group, function()
      for door in pairs(doors) do
        assert_raises(door, { [group] = { 5 } }, "option '" .. group .. "'",
          "names expected")
      end
    end)

    it_refuses("with nearly a group's name is told it: " .. group, function()
      for door in pairs(doors) do
        assert_raises(door, { [group .. "s"] = { [members[1].name] = 5 } },
          "unknown option '" .. group .. "s'",
          "did you mean '" .. group .. "'")
      end
    end)
  end

  it_refuses("that is the group timeout is seconds or a table", function()
    for _, value in ipairs { "5", true, print, io.stdout } do
      for door in pairs(doors) do
        assert_raises(door, { timeout = value }, "option 'timeout'",
          "seconds", "expected, got " .. type(value))
      end
    end
  end)

  it_refuses("that is the group timeout is refused out of its range", function()
    for _, value in ipairs(wrong_numbers.seconds) do
      for door in pairs(doors) do
        assert_raises(door, { timeout = value }, "option 'timeout",
          "seconds from ")
      end
    end
  end)

  it_refuses("that is the group tls is a table", function()
    for _, value in ipairs { "5", true, 5, print, io.stdout } do
      for door in pairs(doors) do
        assert_raises(door, { tls = value }, "option 'tls'",
          "table expected, got " .. type(value))
      end
    end
  end)

  it_refuses("too large by far is asked whether it means ms", function()
    assert_raises("http.get", { timeout = { connect = 100000 } },
      "(milliseconds?)")
  end)

  it("that resembles none is refused without a guess", function()
    local _, message = pcall(http.get, server.url, { something_else = 1 })
    assert.matches("unknown option 'something_else'$", message)
  end)

  it_refuses("with a NUL behind its name is unknown", function()
    for _, row in ipairs(rows) do
      local typo = { name = row.name .. "\0", group = row.group }
      assert_raises("http.get", given(typo, values.table), "unknown option")
      assert_raises("http.client", given(typo, values.table), "unknown option")
    end
  end)

  it_refuses("without a name is refused", function()
    for _, key in ipairs { 2, 1.5, true, print } do
      assert_raises("http.get", { [key] = "x" }, "options: ")
      assert_raises("http.client", { [key] = "x" }, "options: ")
    end
  end)

  it_refuses("method is no verb's", function()
    for _, door in ipairs { "http.get", "http.head", "http.download",
      "client:get" } do
      assert_raises(door, { method = "PUT" }, "option 'method'")
    end
  end)

  it_refuses("sha256 is only of what writes a file", function()
    for door in pairs(doors) do
      if not downloads[door] then
        assert_raises(door, { sha256 = ("a"):rep(64) }, "option 'sha256'",
          makes_client[door] and "not to a client"
            or "belongs to http.download and r:save")
      end
    end
  end)

  it_refuses("base_url of a client is a url", function()
    for _, base in ipairs { "example.com", "ftp://example.com", "http:///x",
      "http://h\\x", "http://h/\t", "http://h:99999" } do
      assert_raises("http.client", { base_url = base }, "option 'base_url'")
      assert_raises("client:extend", { base_url = base }, "option 'base_url'")
    end
  end)

  it_refuses("options is a table", function()
    for _, value in ipairs { "text", 5, true, print } do
      for _, door in ipairs { "http.get", "http.head", "http.fetch",
        "http.download", "client:get", "http.client", "client:extend" } do
        assert_raises(door, value, "options: table expected, got "
          .. type(value))
      end
    end
  end)

  it("of a wait holds although the wait before it may be longer", function()
    server:reset():script(SILENT)
    local began = support.posix.monotonic()
    local page, err = http.fetch(server.url, { timeout = { first_byte = 0.05,
      connect = 30 } })
    assert.is_nil(page)
    assert.equal("timeout", err.code)
    assert.is_true(support.posix.monotonic() - began < 10)
  end)

  it("ca that is not there is no connection, not the default", function()
    local page, err = http.fetch(support.nginx().https .. "/small",
      { tls = { ca = "no/such/file" } })
    assert.is_nil(page)
    assert.equal("tls", err.code)
  end)

  it("ca whose PEM text holds no certificate is no connection", function()
    local page, err = http.fetch(support.nginx().https .. "/small",
      { tls = { ca = "-----BEGIN NOTHING-----\n-----END NOTHING-----\n" } })
    assert.is_nil(page)
    assert.equal("tls", err.code)
  end)
end)

-- ---- the baseline ----

describe("A recycled handle", function()
  local server, peer

  -- A folder as openssl looks certificates up in.
  local function hashed(path)
    local folder = support.folder()
    assert(os.execute(("cp '%s' '%s/ca.pem' && openssl rehash '%s'"):format(
      path, folder, folder)))
    return folder
  end

  local function text_of(path)
    local file <close> = assert(io.open(path))
    return file:read("a")
  end

  setup(function()
    server = support.server()
    local nginx = support.nginx()
    local certificates = support.certificates()
    peer = {
      https = nginx.https .. "/small",
      asks = nginx.https_client .. "/small",
      only_1_2 = nginx.https_1_2 .. "/small",
      only_1_3 = nginx.https_1_3 .. "/small",
      wrong_name = nginx.https_wrong_name .. "/small",
      expired = nginx.https_expired .. "/small",
      ca = nginx.ca,
      pem = text_of(nginx.ca),
      folder = hashed(nginx.ca),
      moved = nginx.http .. "/status/302",
      cert = certificates.client.cert,
      key = certificates.client.key,
      both = certificates.client.both,
      encrypted = certificates.client.encrypted,
      password = certificates.client.password,
      other_pin = certificates.other_pin,
      https2 = nginx.https2_once .. "/small",
    }
  end)
  teardown(function() server:close() end)

  local HEAD = [[
    local http = require "curlew"
    local url, peer = arg[1], {}
    for i = 2, #arg, 2 do peer[arg[i] ] = arg[i + 1] end
    -- the outcome, without what differs from run to run
    local function show(page, err)
      if page then
        print(page.status, page.request.method, page.body, page.http_version)
      else
        print(err.code, err.phase, (err.message:gsub("%d+ ms", "- ms")))
      end
    end
  ]]

  -- Runs the script in a process of its own. Returns what it printed and the
  -- last request as it arrived.
  local function run(script, sample)
    server:reset()
    server:script(sample.answers or { "request", { send = OK }, "close" })
    local arguments = { server.url }
    for name, value in pairs(peer) do
      table.insert(arguments, name)
      table.insert(arguments, value)
    end
    local _, code, out, err = support.run(HEAD .. script, arguments)
    assert.equal("", err)
    assert.equal(0, code)
    local requests = server:requests()
    return out, requests[#requests]
  end

  -- The same, once a suite, for what others are held against.
  local references = {}
  local function refer(script, sample)
    local key = script .. tostring(sample.answers)
    references[key] = references[key] or table.pack(run(script, sample))
    return table.unpack(references[key], 1, 2)
  end

  local function fill(template, sample)
    return (template:gsub("%u+", { SET = sample.set,
      ASK = sample.ask or "url",
      PROBE = sample.probe and sample.probe .. "," or "",
      OFF = sample.off }))
  end

  local ALONE = "show(http.fetch(ASK, { PROBE }))"

  local function assert_as_fresh(script, sample)
    local fresh, fresh_bytes = refer(fill(ALONE, sample), sample)
    local out, bytes = run(fill(script, sample), sample)
    assert.equal(fresh, out)
    if fresh_bytes then assert.equal(fresh_bytes, bytes) end
  end

  -- The script, which ends with a request that has the sample, as a client that
  -- was made with it.
  local function assert_as_given(script, sample)
    local first, first_bytes = refer(
      fill("show(http.client({ SET }):fetch(ASK, { PROBE }))", sample), sample)
    local out, bytes = run(fill(script, sample), sample)
    assert.equal(first, out)
    if not sample.unheard then assert.equal(first_bytes, bytes) end
  end

  -- The sample, and 'false' in the place of its value.
  local function with_off(sample, row)
    local form = row.group and "%s = { %s = false }" or "%.0s%s = false"
    local off = sample.off or form:format(row.group or "", row.name)
    return setmetatable({ off = off }, { __index = sample })
  end

  for _, row in ipairs(rows) do
    for i, sample in ipairs(samples[full_name(row)] or {}) do
      local what = ("%s (%d)"):format(full_name(row), i)

      if not sample.unfelt then
        it("feels the sample of " .. what, function()
          local fresh, fresh_bytes = refer(fill(ALONE, sample), sample)
          local out, bytes = run(
            fill("show(http.fetch(ASK, { PROBE SET }))", sample), sample)
          assert.not_same({ fresh, fresh_bytes }, { out, bytes })
        end)
      end

      if not row.clients_only then
        it("forgets what a request had: " .. what, function()
          assert_as_fresh("http.fetch(ASK, { SET }) " .. ALONE, sample)
        end)
      end

      if not row.requests_only then
        it("forgets what a client had: " .. what, function()
          assert_as_fresh("http.client({ SET }):fetch(ASK) " .. ALONE, sample)
        end)

        it("has what its client has after another's: " .. what, function()
          assert_as_given([[
            local client = http.client { SET }
            http.fetch(ASK, { PROBE })
            show(client:fetch(ASK, { PROBE }))]], sample)
        end)

        it("passes to a client's child: " .. what, function()
          assert_as_given([[
            local client <close> = http.client { SET }
            show(client:extend():fetch(ASK, { PROBE }))]], sample)
        end)

        it("is a child's own, not its parent's: " .. what, function()
          assert_as_given([[
            local client = http.client()
            local child = client:extend { SET }
            show(child:fetch(ASK, { PROBE }))]], sample)
          assert_as_fresh([[
            local client = http.client()
            client:extend({ SET }):fetch(ASK)
            show(client:fetch(ASK, { PROBE }))]], sample)
        end)
      end

      -- false is a value of booleans
      if not row.requests_only and row.kind ~= "boolean" then
        it("is told false to have the default: " .. what, function()
          assert_as_fresh([[
            local client = http.client { SET }
            client:fetch(ASK)
            show(client:fetch(ASK, { PROBE OFF }))]],
            with_off(sample, row))
        end)

        it("has the client's again after a false: " .. what, function()
          assert_as_given([[
            local client = http.client { SET }
            client:fetch(ASK, { PROBE OFF })
            show(client:fetch(ASK, { PROBE }))]], with_off(sample, row))
        end)

        it("is told false by a child to have the default: " .. what, function()
          assert_as_fresh([[
            local child = http.client({ SET }):extend { OFF }
            show(child:fetch(ASK, { PROBE }))]], with_off(sample, row))
        end)
      end
    end
  end

  -- Tables merge; of others a child's value takes the place of its parent's.
  for _, row in ipairs(rows) do
    local list = samples[full_name(row)] or {}
    local merges = row.kind:find("^table") or row.requests_only
    for i = 2, merges and 0 or #list do
      it(("overrules its parent: %s (%d)"):format(full_name(row), i), function()
        local parents = list[i - 1].set
        assert_as_given("local parent = http.client { " .. parents .. " } "
          .. "show(parent:extend({ SET }):fetch(ASK, { PROBE }))", list[i])
      end)
    end
  end

  it("serves two clients in turn, each with its own headers", function()
    server:reset()
    server:script { "request", { send = OK }, "request", { send = OK },
      "request", { send = OK }, "request", { send = OK }, "request",
      { send = OK }, "request", { send = OK }, "hold" }
    local _, code, out, err = support.run([[
      local http = require "curlew"
      local a = http.client { user_agent = "a",
        headers = { ["X-A"] = "1", Accept = false } }
      local b = http.client { user_agent = "b", headers = { ["X-B"] = "2" } }
      for _, client in ipairs { a, b, a, a, b, b } do
        assert(client:fetch(arg[1]))
      end
      print(http.stats().connections.opened)
    ]], { server.url })
    assert.same({ 0, "1\n", "" }, { code, out, err })
    local host = server.url:gsub("^http://", "")
    local codings = "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    local request_a = "GET / HTTP/1.1\r\nHost: " .. host
      .. "\r\nUser-Agent: a\r\n" .. codings .. "X-A: 1\r\n\r\n"
    local request_b = "GET / HTTP/1.1\r\nHost: " .. host
      .. "\r\nUser-Agent: b\r\nAccept: */*\r\n" .. codings
      .. "X-B: 2\r\n\r\n"
    assert.same({ request_a, request_b, request_a, request_a, request_b,
      request_b }, server:requests())
  end)

  it("serves two clients in turn, each with its own trust", function()
    local _, code, out, err = support.run([[
      local http = require "curlew"
      local trusts = http.client { tls = { ca = arg[2] } }
      local doubts = http.client()
      local blind = http.client { tls = { verify = false } }
      for _, client in ipairs { trusts, doubts, trusts, blind, doubts, blind,
        trusts, trusts, doubts } do
        local page, why = client:fetch(arg[1])
        print(page and page.status or why.code)
      end
    ]], { peer.https, peer.ca })
    assert.same({ 0, "" }, { code, err })
    assert.equal("200\ntls\n200\n200\ntls\n200\n200\n200\ntls\n", out)
  end)

  it("looks at the name again after it was told not to", function()
    local _, code, out, err = support.run([[
      local http = require "curlew"
      local trusts = http.client { tls = { ca = arg[2] } }
      local blind = trusts:extend { tls = { verify = false } }
      local function try(client, options)
        local page, why = client:fetch(arg[1], options)
        print(page and page.status or why.code)
      end
      try(trusts, { tls = { verify = false } })
      try(trusts)
      try(blind)
      try(trusts)
      try(blind, { tls = { verify = true } })
      try(http.client(), { tls = { ca = arg[2] } })
    ]], { peer.wrong_name, peer.ca })
    assert.same({ 0, "" }, { code, err })
    assert.equal("200\ntls\n200\ntls\ntls\ntls\n", out)
  end)

  it("has none of what a request had that was refused", function()
    server:reset():reply(OK)
    local fresh, fresh_bytes = run("show(http.fetch(url))", {})
    local out, bytes = run([[
      local bad = { user_agent = "a sample", headers = { ["X-A"] = "1" },
        tls = { verify = false }, max_body = 1, http_version = "9" }
      for _ = 1, 10 do assert(not pcall(http.fetch, url, bad)) end
      show(http.fetch(url))]], {})
    assert.equal(fresh, out)
    assert.equal(fresh_bytes, bytes)
  end)
end)
