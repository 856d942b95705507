--- http2: frames of HTTP/2 as bytes (RFC 9113), for servers of canned bytes.
-- A frame without a stream of its own belongs to the last request's: the peer
-- fills that in. Header fields are literals that nobody remembers (RFC 7541
-- section 6.2.2), so that a frame means the same wherever it stands.

local http2 = {}

local THIS_STREAM = 0x7fffffff
local TYPES = { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6,
  GOAWAY = 7, WINDOW_UPDATE = 8 }
local END_STREAM, END_HEADERS = 0x1, 0x4
local LARGEST = 16384 -- what a peer takes unless it says otherwise

--- Error codes by their names (RFC 9113 section 7).
http2.codes = { NO_ERROR = 0, PROTOCOL_ERROR = 1, INTERNAL_ERROR = 2,
  FLOW_CONTROL_ERROR = 3, STREAM_CLOSED = 5, REFUSED_STREAM = 7, CANCEL = 8,
  COMPRESSION_ERROR = 9, ENHANCE_YOUR_CALM = 11, HTTP_1_1_REQUIRED = 13 }

--- Any frame, right or wrong.
function http2.frame(kind, flags, payload, stream)
  return string.pack(">I3BBI4", #payload, TYPES[kind] or kind, flags,
    stream or THIS_STREAM) .. payload
end

-- RFC 7541 section 5.1, with a prefix of seven bits.
local function integer(n)
  if n < 127 then return string.char(n) end
  local out = { "\127" }
  n = n - 127
  while n >= 128 do
    out[#out + 1] = string.char(n % 128 + 128)
    n = n // 128
  end
  out[#out + 1] = string.char(n)
  return table.concat(out)
end

local function text(s) return integer(#s) .. s end

--- The bytes of header fields: {{name, value}, ...}.
function http2.fields(list)
  local out = {}
  for i, field in ipairs(list) do
    out[i] = "\0" .. text(field[1]) .. text(field[2])
  end
  return table.concat(out)
end

--- A response's head, or trailers (status nil).
function http2.headers(status, list, ends)
  local all = { status and { ":status", tostring(status) } }
  table.move(list or {}, 1, #(list or {}), #all + 1, all)
  return http2.frame("HEADERS", END_HEADERS | (ends and END_STREAM or 0),
    http2.fields(all))
end

--- A body, or part of it, in as many frames as it takes.
function http2.data(bytes, ends)
  local out = {}
  for at = 1, math.max(#bytes, 1), LARGEST do
    local last = at + LARGEST > #bytes
    out[#out + 1] = http2.frame("DATA", ends and last and END_STREAM or 0,
      bytes:sub(at, at + LARGEST - 1))
  end
  return table.concat(out)
end

--- Gives the stream up.
function http2.reset(code, stream)
  return http2.frame("RST_STREAM", 0,
    string.pack(">I4", http2.codes[code]), stream)
end

--- Takes no streams after `last`.
function http2.goaway(last, code)
  return http2.frame("GOAWAY", 0,
    string.pack(">I4I4", last, http2.codes[code or "NO_ERROR"]), 0)
end

return http2
