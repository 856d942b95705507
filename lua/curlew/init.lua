--- curlew: an HTTP client whose responses are to-be-closed values.
--
--     local http = require "curlew"
--     local r <close>, err = http.get("https://example.com/", { timeout = 5 })
--
-- The module is the default client. What opens a response shapes its arguments
-- here and ends in a tail call of the core, so that nothing of Lua's runs
-- between the response and its `<close>` variable. This file has no syntax that
-- is newer than Lua 5.1: see curlew.requirements.
-- SPDX-License-Identifier: MIT

local core = require "curlew.requirements"
if core.once.http then return core.once.http end -- loaded before
local json = require "curlew.json"
local leaks = require "curlew.leaks"
local page = require "curlew.page"
local shape = require "curlew.shape"
local urls = require "curlew.url"

local middleware -- loaded by `use`: who has no chain does not need it

local open, words_of = core.open, core.words
local open_lines, open_chunks = core.open_lines, core.open_chunks

-- Lines of these files are not the caller's: a leak is named by who asked.
local here = select(2, ...)
if type(here) == "string" then
  core.home(here:match("^(.*)init%.lua$") or "")
end

local http = {
  _VERSION = "curlew " .. core.version, leaks = leaks, json = json.default,
  url = urls,
}

local default = core.client()

local function teach_dot(name)
  error("call http." .. name .. "(...) with a dot", 3)
end

for _, name in ipairs { "features", "limits", "stats" } do
  local f = core[name]
  http[name] = function(...)
    if ... == http then teach_dot(name) end
    return f(...)
  end
end

--- What a value is: "response", "closed response", "client", ... or nil.
function http.type(...)
  if ... == http and select("#", ...) > 1 then teach_dot("type") end
  local kind, scope = core.type(...), core.once.scope
  if kind == nil and scope then return scope.type((...)) end
  return kind
end

local function encode_json(value) return json.encode(value, http.json) end

-- Arguments of a request, for the core. A tail call: what is wrong with them is
-- wrong where the caller's caller is.
local function shaped(url, options, words)
  return shape.request(url, options, words, encode_json)
end

-- The two faces of one verb: http.get(url, options), client:get(url, options).
-- A client with middleware opens by `through`; the caller's faults are raised
-- before the first of them is called.
local function define(name, method, opener, through)
  http[name] = function(url, options)
    if options == nil and type(url) == "string" then
      return opener(default, method, url)
    end
    if url == http then teach_dot(name) end
    return opener(default, method, shaped(url, options))
  end

  core.methods[name] = function(client, url, options)
    local words = words_of(client, name)
    if words.chain then
      core.check(client, method, shaped(url, options, words))
      return middleware[through](middleware.call(client, words, encode_json,
        method, url, options))
    end
    return opener(client, method, shaped(url, options, words))
  end
end

for _, method in ipairs { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" } do
  define(method:lower(), method, open, "open")
end

-- In a `for`: lines (or pieces, as they come) of a body; the loop releases it,
-- however it is left, and raises what goes wrong.
define("lines", "GET", open_lines, "lines")
define("chunks", "GET", open_chunks, "chunks")

--- Opens what a table asks for: `method` (GET unless given) and `url` in it.
-- @tparam table options
-- @treturn response|nil open: the caller owns it
-- @treturn error what went wrong
function http.request(options)
  if options == http then teach_dot("request") end
  return open(default, nil, shaped(options))
end

function core.methods.request(client, options)
  local words = words_of(client, "request")
  if words.chain then
    core.check(client, nil, shaped(options, nil, words))
    return middleware.open(middleware.call(client, words, encode_json, nil,
      options))
  end
  return open(client, nil, shaped(options, nil, words))
end

--- Fetches a whole response: nothing to close.
-- @tparam string url
-- @tparam[opt] table options `method` among them
-- @treturn page|nil fields of a response, and `body`
-- @treturn error what went wrong
function http.fetch(url, options)
  if url == http then teach_dot("fetch") end
  return page.fetch(open, default, shaped(url, options))
end

function core.methods.fetch(client, url, options)
  local words = words_of(client, "fetch")
  if words.chain then
    core.check(client, nil, shaped(url, options, words))
    return page.fetch(middleware.open,
      middleware.call(client, words, encode_json, nil, url, options))
  end
  return page.fetch(open, client, shaped(url, options, words))
end

--- Downloads into a file: under `path` stands what was there, or the whole new
-- one. What came before an interruption is kept beside it, and gone on with by
-- the next call.
-- @tparam string url
-- @tparam string path
-- @tparam[opt] table options `sha256` among them
-- @treturn table|nil `path`, `bytes`, `sha256` (if it was given), `resumed`
-- @treturn error what went wrong
function http.download(url, path, options)
  if url == http then teach_dot("download") end
  local address, own = shaped(url, options)
  local download = require "curlew.download"
  return download.run(open, default, path, address, shape.download(own))
end

function core.methods.download(client, url, path, options)
  local words = words_of(client, "download")
  local address, own = shaped(url, options, words)
  local download = require "curlew.download"
  if not words.chain then
    return download.run(open, client, path, address, shape.download(own))
  end
  core.check(client, "GET", address, (shape.download(own)))
  local function through(_, _, _, asked, previous)
    local call = middleware.call(client, words, encode_json, nil, asked)
    return middleware.open(call, nil, nil, nil, previous)
  end
  return download.run(through, client, path, address,
    shape.download(shape.together("GET", url, options)))
end

-- What `http.json` decodes with now; its caller's caller has put it there.
local function decoder()
  local codec = http.json
  if type(codec) ~= "table" or type(codec.decode) ~= "function" then
    error("http.json: a table with functions encode and decode expected", 3)
  end
  return codec.decode
end

--- Decodes the whole body.
-- @treturn any|nil null is `http.json.null`
-- @treturn error what went wrong
function core.response_methods:json()
  if core.type(self) ~= "response" and core.type(self) ~= "closed response" then
    error("call response:json(...) with a colon", 2)
  end
  local decode = decoder()
  local text, err = self:text()
  if not text then return nil, err end
  return json.decode(self, text, decode)
end

function page.methods:json()
  if getmetatable(self) ~= page.methods then
    error("call page:json(...) with a colon", 2)
  end
  return json.decode(self, self.body, (decoder()))
end

--- The request as a command of the curl tool, for sh.
-- @treturn string with its secrets masked
function core.request_methods:curl()
  return require("curlew.request").curl(self)
end

-- ---- tasks: loaded by who needs them ----

--- Makes a scope, to be closed: leaving its block ends its tasks.
-- @tparam[opt] table options `deadline` in seconds, `max` tasks at once
-- @treturn scope
function http.scope(options)
  if options == http then teach_dot("scope") end
  return require("curlew.scope").new(options)
end

--- In a `for` loop: calls a function with each item of a list, in tasks,
-- several at once.
-- @tparam table items it may grow meanwhile
-- @tparam function fn fn(item)
-- @tparam[opt] table options `max` at once (10), `ordered`
-- @return the item and what the function returned, in order of completion
-- unless `ordered`; nil and what it raised
function http.map(items, fn, options)
  if items == http then teach_dot("map") end
  return require("curlew.map").run(items, fn, options)
end

function core.methods:map(items, fn, options)
  words_of(self, "map")
  return require("curlew.map").run(items, fn, options, self)
end

--- Waits. Other tasks go on meanwhile.
-- @tparam number seconds
function http.sleep(seconds)
  if seconds == http then teach_dot("sleep") end
  require("curlew.check").seconds("sleep", seconds)
  core.wait(core.seat(), seconds)
end

--- Lets an event loop do the waiting. For applications, before their first
-- request.
-- @param loop "cqueues", "luv", or an adapter
function http.loop(loop)
  if loop == http then teach_dot("loop") end
  return require("curlew.loop").install(loop)
end

--- Makes a client: defaults for requests.
-- @tparam[opt] table options
-- @treturn client to be closed
function http.client(options)
  if options == http then teach_dot("client") end
  return core.client(shape.client(options))
end

--- Makes a client with this one's defaults, but for those given.
-- @tparam[opt] table options
-- @treturn client to be closed
function core.methods:extend(options)
  return core.client(shape.client(options, self, words_of(self, "extend")))
end

--- Adds a function around what the client opens from now on; the first that
-- was added is the outermost. Whom it was extended to does not have it.
-- @tparam function fn (request, next): returns what next(request) returned, a
-- response that it moved or opened, or nil and an error
-- @treturn client itself
function core.methods:use(fn)
  local words = words_of(self, "use")
  if type(fn) ~= "function" then
    error("use: function expected, got " .. type(fn), 2)
  end
  middleware = middleware or require "curlew.middleware"
  words.chain = middleware.add(words.chain, fn)
  return self
end

core.once.http = http

return http
