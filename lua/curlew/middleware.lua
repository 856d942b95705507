--- middleware: functions around what a client opens, each with a request that
-- it may change and a `next` that goes on with it. What next returned and a
-- middleware did not return is released, however the middleware ends.
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"
local shape = require "curlew.shape"

local middleware = {}

-- What `next` returned to one middleware in one request, in order; `outer` is
-- that of who called it, with a `place` for what it returns.
local Held = { __name = "curlew.held" }

-- A coroutine that is closed brings no error; nor does error(nil). What was to
-- be kept is not, should an error come when all was settled: an interrupt.
function Held:__close(err)
  local why = err ~= nil and "error" or self.settled and "close" or "tbc"
  local kept = err == nil and self.kept or nil
  self.over = true
  for _, r in ipairs(self) do
    if r then core.release(r, why, kept) end
  end
end

local function refuse(fn, what)
  core.raise(("the middleware returned %s; a response, or nil and an error, "
    .. "expected"):format(what), fn)
end

-- Takes what the middleware returned, if it is what an opener returns: there is
-- no instruction at which it is nobody's.
local function settle(held, fn, r, err)
  local kind = core.type(r)
  if kind == "closed response" then
    refuse(fn, "a closed response (out of its <close>: return r:move())")
  elseif r ~= nil and kind ~= "response" then
    refuse(fn, "a " .. type(r))
  elseif r == nil and err == nil then
    refuse(fn, "nil and no error")
  end
  if r and held.outer then held.outer[held.place] = r end
  held.settled, held.kept = true, r
  if r then return r end
  return nil, err
end

-- The end of each chain. Faults in the words are raised as those that the core
-- finds. Behind two functions in C their texts come without a position.
local function send(call, request)
  local _, good, url, options = pcall(pcall, shape.request, request, nil,
    call.words, call.encode_json)
  if not good then
    if type(url) ~= "string" then error(url, 0) end -- a codec's, or a hook's
    core.raise(url)
  end
  return core.open(call.client, nil, url, options, call.previous, call.called)
end

local run

-- The place in `held` is made before there is something to lose.
local function go_on(call, i, request, held)
  local place = #held + 1
  held[place] = false
  local r, err = run(call, i, shape.copy(request), held, place)
  if r then held[place] = r end
  if not held.over then return r, err end
  if r then core.release(r, "close") end
  core.raise("next: its middleware has ended")
end

local function next_of(call, i, request, held)
  return function(changed)
    if held.over then core.raise("next: its middleware has ended") end
    if changed ~= nil and type(changed) ~= "table" then
      core.raise("next: a request (a table) expected, got " .. type(changed))
    end
    return go_on(call, i + 1, changed or request, held)
  end
end

-- Runs the chain from its i-th on.
function run(call, i, request, outer, place)
  local fn = call.chain[i]
  if not fn then return send(call, request) end
  local held <close> = setmetatable({ outer = outer, place = place }, Held)
  return settle(held, fn, fn(request, next_of(call, i, request, held)))
end

--- Adds to a chain. A new list: who was extended, or is on the way, keeps its.
-- @tparam table|nil chain
-- @tparam function fn
-- @treturn table chain
function middleware.add(chain, fn)
  local longer = table.move(chain or {}, 1, #(chain or {}), 1, {})
  longer[#longer + 1] = fn
  return longer
end

--- What a verb was called with, for the openers below.
-- @tparam client client
-- @tparam table words its words, among them the chain
-- @tparam function encode_json as shape.request takes it
-- @tparam string|nil method
-- @tparam string|table url
-- @tparam table|nil options
-- @treturn table call
function middleware.call(client, words, encode_json, method, url, options)
  return {
    client = client, words = words, encode_json = encode_json,
    chain = words.chain, called = core.call(),
    request = shape.together(method, url, options),
  }
end

--- Opens through the chain. Called as core.open is.
-- @tparam table call in place of the client
-- @tparam[opt] response previous whose request is made again
-- @treturn response|nil
-- @return error
function middleware.open(call, _, _, _, previous)
  call.previous = previous
  return run(call, 1, shape.copy(call.request))
end

local function loop(method)
  return function(call)
    local r, err = middleware.open(call)
    if not r then error(err, 0) end
    return r[method](r)
  end
end

middleware.lines, middleware.chunks = loop("lines"), loop("chunks")

return middleware
