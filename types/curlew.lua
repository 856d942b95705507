---@meta curlew
-- Types for editors (LuaCATS). The options are written by make doc.

-- options
---@class curlew.Auth
---@field basic? string[] {user, password}, sent with each request (RFC 7617)
---@field bearer? string|fun(stale: boolean): string?, any a token (RFC 6750), or function(stale) that returns one and for how many seconds it holds; called once more after a 401
---@field digest? string[] {user, password}, never sent in the clear (RFC 7616)
---@field netrc? boolean user and password of the host from ~/.netrc, sent as basic's

---@class curlew.Retry
---@field max_delay? number the longest wait before a retry; a Retry-After beyond it ends them
---@field on? (integer|string)[] a list of statuses and error codes that are worth a retry
---@field times? integer how often a failed request is made again
---@field unsafe? boolean also methods that are not idempotent (RFC 9110 9.2.2), as POST

---@class curlew.Timeout
---@field connect? number until there is a connection: name, TCP and TLS
---@field first_byte? number from the last byte sent to the first received
---@field idle? number one wait for more of the response; time spent elsewhere does not count

---@class curlew.Tls
---@field ca? string|string[] certificates to trust: path of a PEM file or of a hashed folder, or PEM text; or a list of files and texts, "system" among them
---@field cert? string certificate to show to a server that asks for one, and its chain
---@field key? string its private key
---@field key_password? string what an encrypted key is encrypted with
---@field max? "1.0"|"1.1"|"1.2"|"1.3" the newest TLS version to speak
---@field min? "1.0"|"1.1"|"1.2"|"1.3" the oldest TLS version to speak
---@field pin? string|string[] public keys of which the server has to have one, as "sha256//..." (base64): a list, or one text with ";" between
---@field unclean_close? boolean true accepts a body over HTTP/1 that ends with the connection, even if the server sends no close_notify
---@field verify? boolean false accepts any certificate, from anybody

---@class curlew.Options
---@field base_url? string put before a url without a scheme, with one slash between
---@field body? string|fun(): string?, any what is sent: a string, or a function that returns pieces, then nil (nil, err aborts)
---@field buffer? integer size of the receive buffer, in bytes: a large one saves system calls when a large body comes, and is memory while it is open
---@field check? boolean|fun(r: curlew.Response): any any status but 200-299 is an error; or a function of the response that says whether it will do
---@field deadline? number everything, from the call to the end of the body
---@field decode? boolean ask for gzip, deflate, br and zstd, and undo them; false: the bytes as they come
---@field expect? boolean ask for 100 (Continue) before a body is sent, and wait for it at most a second
---@field file? string|file* a file is sent: path, or a handle from where it stands
---@field form? any fields are sent, url-encoded: name = value, name = {values}, or {{name, value}, ...}
---@field headers? table name = value, name = {values}, or {{name, value}, ...}; false takes a default away
---@field http_version? "1.1"|"2"|"3" the newest HTTP version to offer, over TLS; the server may choose an older one
---@field interface? string network interface, address or name to connect from; "if!eth0" is an interface only, "host!name" no interface
---@field ip? 4|6 connect to addresses of this IP version only
---@field json? any a value is sent, as http.json encodes it
---@field length? integer how many bytes the function given as body will return in all
---@field max_body? integer the largest body taken, in bytes; set, it holds for bodies read in pieces too
---@field method? string the request's method, of http.request and http.fetch
---@field multipart? curlew.Part[] a form with files is sent (RFC 7578): {{name =, [1] = text | file = | body =, filename =, type =}, ...}
---@field on_end? fun(info: curlew.End) function(info), called once when the request is over, however it went: outcome, bytes, times, attempts
---@field per_host? integer how many requests that say so may be open at once to one origin (scheme, host, port)
---@field progress? fun(p: curlew.Progress): boolean? function{received, total, sent, send_total}, called while bytes come and go; if it returns false the request is cancelled
---@field proxy? string|false url of a proxy, for all hosts: http, https, socks5, socks5h, socks4, socks4a; false: none
---@field query? table appended to the url, percent-encoded: name = value, name = {values}, or {{name, value}, ...}
---@field redirects? integer how many are followed; 0: the response that redirects is returned
---@field resolve? table<string, string|false> addresses to connect to: ["host" or "host:port"] = "address" or "address:port"
---@field sealed? boolean from now on requests may only set method, url, headers, query and bodies without files
---@field secret_headers? string[] names of header lines that stay behind when a redirect leads to another origin, as Authorization and Cookie do
---@field sha256? string what the file's SHA-256 has to be, in hexadecimal; of http.download and r:save
---@field trace? file* an open file, such as io.stderr: what happens on the wire is written there, without secrets and bodies
---@field unix? string path of a Unix domain socket to connect to; Host is the url's
---@field url? string http or https; may also stand first in the table
---@field user_agent? string the User-Agent header
---@field auth? curlew.Auth
---@field retry? integer|curlew.Retry
---@field timeout? number|curlew.Timeout
---@field tls? curlew.Tls
-- end

---@class curlew.Part
---@field name string
---@field [1]? string|number
---@field file? string|file*
---@field body? fun(): string|nil, any
---@field filename? string
---@field type? string

---@class curlew.Info
---@field received integer bytes of body
---@field sent integer bytes of body
---@field attempts integer
---@field redirects integer
---@field queued number seconds that it waited its turn
---@field ended boolean
---@field outcome? string
---@field elapsed? number seconds
---@field verified? boolean
---@field reused? boolean
---@field remote_ip? string
---@field remote_port? integer
---@field times? { namelookup: number?, connect: number?, appconnect: number?, pretransfer: number?, starttransfer: number?, total: number? }

---@class curlew.End: curlew.Info
---@field method string
---@field url string
---@field status? integer
---@field error? string

---@class curlew.Progress
---@field received integer
---@field total? integer
---@field sent integer
---@field send_total? integer

---@class curlew.Hop
---@field status integer
---@field url string

---@class curlew.Headers
---@operator len: integer
---@field [string] string

---@class curlew.Request
---@field method string
---@field url string
---@field headers curlew.Headers
local Request = {}

---@return string
function Request:curl() end

---@class curlew.Error
---@field code "url"|"resolve"|"connect"|"tls"|"proxy"|"timeout"|"closed"|"truncated"|"protocol"|"too_large"|"decode"|"redirect"|"status"|"json"|"file"|"cancelled"|"too_many_open"|"memory"
---@field code "url"|"resolve"|"connect"|"tls"|"proxy"|"timeout"|"closed"|"truncated"|"protocol"|"too_large"|"decode"|"status"|"json"|"file"|"checksum"|"cancelled"|"too_many_open"|"memory"
---@field phase "request"|"resolve"|"connect"|"tls"|"send"|"headers"|"body"
---@field message string
---@field method? string
---@field url? string
---@field site string
---@field retryable boolean
---@field attempts integer
---@field status? integer
---@field headers? curlew.Headers
---@field received? integer
---@field body? string
---@field holders? curlew.Record[]

---@class curlew.Record
---@field found? "gc"|"shutdown"|"exit"
---@field id integer
---@field method string
---@field url string
---@field status integer
---@field http_version string
---@field site string
---@field opener "main"|"task"|"coroutine"
---@field opened_at integer
---@field age number
---@field read integer
---@field expected? integer
---@field unread integer
---@field count? integer

---@class curlew.Page
---@field status integer
---@field reason string
---@field ok boolean
---@field url string
---@field http_version string
---@field headers curlew.Headers
---@field trailers curlew.Headers
---@field length? integer
---@field media_type? string
---@field charset? string
---@field filename? string
---@field request curlew.Request
---@field info curlew.Info
---@field history curlew.Hop[]
---@field body string
local Page = {}

---@param name string
---@return string ...
function Page:header(name) end

---@return curlew.Page|nil
---@return curlew.Error?
function Page:check() end

---@return any
---@return curlew.Error?
function Page:json() end

---@class curlew.File
---@field path? string
---@field bytes integer
---@field sha256? string
---@field resumed? boolean of a download

---@class curlew.Json
---@field encode fun(value: any): string
---@field decode fun(text: string): any, string?
---@field null any

---@class curlew.Response
---@field status integer
---@field reason string
---@field ok boolean
---@field url string
---@field http_version string
---@field headers curlew.Headers
---@field trailers curlew.Headers
---@field length? integer
---@field media_type? string
---@field charset? string
---@field filename? string
---@field request curlew.Request
---@field info curlew.Info
---@field history curlew.Hop[]
local Response = {}

---@param name string
---@return string ...
function Response:header(name) end

---@param ... "l"|"L"|"n"|"a"|integer
---@return string|number|nil ...
function Response:read(...) end

---@param ... "l"|"L"|"n"|"a"|integer
---@return fun(): string|number|nil, ...
---@return nil, nil, any
function Response:lines(...) end

---@return fun(): string|nil
---@return nil, nil, any
function Response:chunks() end

---@return any
---@return curlew.Error?
function Response:json() end

---@param target string|file*
---@param options? { sha256: string? }
---@return curlew.File|nil
---@return curlew.Error?
function Response:save(target, options) end

---@return string|nil
---@return curlew.Error?
function Response:text() end

---@return curlew.Response|nil
---@return curlew.Error?
function Response:check() end

---@nodiscard
---@return curlew.Response
function Response:move() end

---@return true
function Response:close() end

---@class curlew.Client
local Client = {}

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function Client:get(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function Client:head(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function Client:post(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function Client:put(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function Client:patch(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function Client:delete(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return fun(): string|nil
---@return nil, nil, any
function Client:lines(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return fun(): string|nil
---@return nil, nil, any
function Client:chunks(url, options) end

---@nodiscard
---@param options curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function Client:request(options) end

---@param url string
---@param options? curlew.Options
---@return curlew.Page|nil
---@return curlew.Error?
function Client:fetch(url, options) end

---@param url string
---@param path string
---@param options? curlew.Options
---@return curlew.File|nil
---@return curlew.Error?
function Client:download(url, path, options) end

---@nodiscard
---@param options? curlew.Options
---@return curlew.Client
function Client:extend(options) end

---@param items any[]
---@param fn fun(client: curlew.Client, item: any): ...
---@param options? curlew.MapOptions
---@return fun(): any, ...
function Client:map(items, fn, options) end

---@class curlew.MiddlewareRequest: curlew.Options
---@field method string
---@field url string
---@field headers table|false

---@alias curlew.Next fun(request?: curlew.MiddlewareRequest): curlew.Response|nil, any
---@alias curlew.Middleware fun(request: curlew.MiddlewareRequest, next: curlew.Next): curlew.Response|nil, any

---@param fn curlew.Middleware
---@return curlew.Client
function Client:use(fn) end

---@return curlew.Stats
function Client:stats() end

---@return true
function Client:close() end

---@class curlew.Stats
---@field opened integer
---@field open integer
---@field high_water integer
---@field released integer
---@field leaked integer
---@field collected_unclosed integer
---@field forced_collections integer
---@field drained_bytes integer
---@field released_by table<string, integer>
---@field leaked_by table<string, integer>
---@field connections { opened: integer, closed: integer, reused: integer }

---@class curlew.Leaks
local leaks = {}

---@return curlew.Record[]
function leaks.open() end

---@return curlew.Record[]
function leaks.records() end

---@return true|nil
---@return string[]?
function leaks.audit() end

---@class curlew.Url
---@field scheme "http"|"https"
---@field user? string
---@field password? string
---@field host string
---@field port? integer
---@field path string
---@field query? string
---@field fragment? string

---@class curlew.Urls
local urls = {}

---@param url string
---@return curlew.Url|nil
---@return curlew.Error?
function urls.parse(url) end

---@param base string
---@param reference string
---@return string|nil
---@return curlew.Error?
function urls.join(base, reference) end

---@param t table
---@return string
function urls.query(t) end

---@class curlew.ScopeOptions
---@field deadline? number seconds
---@field max? integer tasks at once

---@class curlew.MapOptions
---@field max? integer at once; 10 unless given
---@field ordered? boolean in the order of the items

---@class curlew.Task
local Task = {}

--- Waits until it is over; what it returned.
---@return any ...
function Task:wait() end

--- Ends it where it waits.
function Task:cancel() end

---@class curlew.Scope
local Scope = {}

---@param fn fun(...): ...
---@param ... any
---@return curlew.Task
function Scope:spawn(fn, ...) end

--- Waits for all tasks.
---@return true|nil
---@return curlew.Error? # its deadline has passed
function Scope:wait() end

---@class curlew.Adapter
---@field arm fun(fd: integer, seconds: number|nil, step: fun())
---@field disarm fun()

---@class curlew
---@field _VERSION string
---@field url curlew.Urls
---@field leaks curlew.Leaks
---@field json curlew.Json
local http = {}

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function http.get(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function http.head(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function http.post(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function http.put(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function http.patch(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function http.delete(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return fun(): string|nil
---@return nil, nil, any
function http.lines(url, options) end

---@nodiscard
---@param url string
---@param options? curlew.Options
---@return fun(): string|nil
---@return nil, nil, any
function http.chunks(url, options) end

---@nodiscard
---@param options curlew.Options
---@return curlew.Response|nil
---@return curlew.Error?
function http.request(options) end

---@param url string
---@param options? curlew.Options
---@return curlew.Page|nil
---@return curlew.Error?
function http.fetch(url, options) end

---@param url string
---@param path string
---@param options? curlew.Options
---@return curlew.File|nil
---@return curlew.Error?
function http.download(url, path, options) end

---@nodiscard
---@param options? curlew.Options
---@return curlew.Client
function http.client(options) end

---@nodiscard
---@param options? curlew.ScopeOptions
---@return curlew.Scope
function http.scope(options) end

---@param items any[]
---@param fn fun(item: any): ...
---@param options? curlew.MapOptions
---@return fun(): any, ...
function http.map(items, fn, options) end

---@param seconds number
function http.sleep(seconds) end

---@param loop "cqueues"|"luv"|curlew.Adapter
function http.loop(loop) end

---@param limits? { max_open: integer?, idle_connections: integer? }
---@return { max_open: integer, idle_connections: integer }
function http.limits(limits) end

---@return curlew.Stats
function http.stats() end

---@class curlew.Quirk
---@field name string
---@field what string what libcurl does
---@field since string? first release of libcurl with the bug; nil: before 7.88
---@field fixed string? first release of libcurl without it; nil: none yet
---@field spec string the spec that fails without the workaround

---@class curlew.Features
---@field libcurl string
---@field tls string
---@field http2 boolean
---@field http3 boolean
---@field br boolean
---@field zstd boolean
---@field quirks curlew.Quirk[] bugs of the loaded libcurl that curlew works around
---@field options table

---@return curlew.Features
function http.features() end

---@param value any
---@return "response"|"closed response"|"client"|"closed client"|"headers"|"error"|"scope"|"closed scope"|"task"|nil
function http.type(value) end

return http
