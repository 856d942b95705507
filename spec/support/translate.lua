--- translate: what a server of HTTP/1.1 sends, as frames of HTTP/2. For specs
-- that say their servers' bytes and mean the response. The steps stay what they
-- are: what is sent in pieces comes in pieces. What cannot be a response, or
-- follows one, is dropped.

local http2 = require("spec.support.http2")

-- Of one connection: `phase` "head", "length", "chunks", "trailers", "open"
-- (the connection's end is the body's) or "none".
local Stream = {}
Stream.__index = Stream

local BODILESS = { [204] = true, [304] = true }
local HOP = { connection = true, ["transfer-encoding"] = true,
  ["keep-alive"] = true }

local function fields_of(lines)
  local list, all = {}, {}
  for line in lines:gmatch("([^\n]*)\n") do
    local name, value = line:match("^([^:%s]+):[ \t]*(.-)[ \t]*\r?$")
    if name then
      name = name:lower()
      all[name] = value
      if not HOP[name] then list[#list + 1] = { name, value } end
    end
  end
  return list, all
end

function Stream:take(n)
  local bytes = self.left:sub(1, n)
  self.left = self.left:sub(n + 1)
  return bytes
end

-- The bytes up to the end of a line, or of a block that ends in a blank one.
function Stream:up_to(mark)
  local _, last = self.left:find(mark)
  return last and self:take(last)
end

local function phase_of(status, all)
  if status < 200 then return "head" end
  if BODILESS[status] or all["content-length"] == "0" then return "none" end
  if all["transfer-encoding"] then return "chunks" end
  return all["content-length"] and "length" or "open"
end

local steps = {}

function steps:head()
  local block = self:up_to("\r?\n\r?\n")
  if not block then return nil end
  local status = tonumber(block:match("^HTTP/1%.%d (%d+)"))
  local list, all = fields_of(block:match("\n(.*)$"))
  self.phase = phase_of(status, all)
  self.rest = tonumber(all["content-length"])
  return http2.headers(status, list, self.phase == "none")
end

function steps:length()
  if self.left == "" then return nil end
  local bytes = self:take(self.rest)
  self.rest = self.rest - #bytes
  if self.rest == 0 then self.phase = "none" end
  return http2.data(bytes, self.rest == 0)
end

function steps:open()
  if self.left == "" then return nil end
  return http2.data(self:take(#self.left))
end

-- A chunk as far as it is there.
function steps:chunks()
  if self.size == nil then
    local line = self:up_to("^\r?\n?%x+[^\n]*\n")
    if not line then return nil end
    self.size = tonumber(line:match("%x+"), 16)
  end
  if self.size == 0 then
    self.phase = "trailers"
    return ""
  end
  if self.left == "" then return nil end
  local bytes = self:take(self.size)
  self.size = self.size - #bytes
  if self.size == 0 then self.size = nil end
  return http2.data(bytes)
end

function steps:trailers()
  local block = self.left:find("^\r?\n") and self:up_to("^\r?\n")
    or self:up_to("\r?\n\r?\n")
  if not block then return nil end
  self.phase = "none"
  local list = fields_of(block)
  if #list == 0 then return http2.data("", true) end
  return http2.headers(nil, list, true)
end

function steps.none() return nil end

function Stream:feed(bytes)
  local out = {}
  self.left = self.left .. bytes
  repeat
    local frames = steps[self.phase](self)
    out[#out + 1] = frames
  until not frames
  return table.concat(out)
end

local function fresh()
  return setmetatable({ phase = "head", left = "" }, Stream)
end

local ENDS = { close = true, cut = true, shutdown = true }
local translate

local function translate_step(step, stream, out)
  if step == "request" then
    stream = fresh()
  elseif ENDS[step] and stream.phase == "open" then
    out[#out + 1] = { send = http2.data("", true) }
  elseif type(step) == "table" then
    local made = {}
    if step.send then made.send = stream:feed(step.send) end
    if step.drip then made.drip = stream:feed(step.drip) end
    if step.loop then made.loop = translate(step.loop, stream) end
    if step.pieces then
      made.pieces = {}
      for i, piece in ipairs(step.pieces) do
        made.pieces[i] = stream:feed(piece)
      end
    end
    step = made
  end
  out[#out + 1] = step
  return stream
end

function translate(script, stream)
  local out = {}
  stream = stream or fresh()
  for _, step in ipairs(script) do
    stream = translate_step(step, stream, out)
  end
  return out
end

return translate
