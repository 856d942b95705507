--- Secrets stay behind: each place that can hold one, each redirect to another
-- origin, all bytes that the other one received. And a client's own secrets go
-- to its base_url's origin only.

local support = require "spec.support"
local http = require "curlew"

local SECRET = "s3cr3t"
local ENCODED = "dTpzM2NyM3Q=" -- u:s3cr3t in base64

local function answer(status, fields, body)
  return ("HTTP/1.1 %d Status\r\n%sContent-Length: %d\r\n\r\n%s"):format(status,
    fields or "", #(body or ""), body or "")
end

local OK = answer(200, nil, "ok")
local DENIED = answer(401, 'WWW-Authenticate: Basic realm="r"\r\n'
  .. 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n'
  .. "WWW-Authenticate: Bearer\r\n")
local DIGEST = answer(401,
  'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n')

local function moved(status, location)
  return answer(status, "Location: " .. location .. "\r\n", "gone")
end

-- ---- the places ----

local function bearer() return SECRET end

-- Where a secret may be: options, or what stands before the host of the url;
-- 'shown' is what is to be found at the first origin.
local places = {
  ["the header Authorization"] = { headers = { Authorization = SECRET } },
  ["the header authorization"] = { headers = { authorization = SECRET } },
  ["the header Cookie"] = { headers = { Cookie = "a=" .. SECRET } },
  ["two headers Cookie"] = { headers = { { "Cookie", "a=1" },
    { "cookie", "b=" .. SECRET } } },
  ["the header Proxy-Authorization"] = {
    headers = { ["Proxy-Authorization"] = SECRET } },
  ["one of secret_headers"] = { headers = { ["X-Key"] = SECRET },
    secret_headers = { "x-key" } },
  ["several of secret_headers"] = { headers = { ["X-Key"] = SECRET,
    ["X-Token"] = SECRET }, secret_headers = { "X-Token", "X-Key" } },
  ["auth.basic"] = { auth = { basic = { "u", SECRET } }, shown = ENCODED },
  ["auth.bearer"] = { auth = { bearer = SECRET } },
  ["a function for auth.bearer"] = { auth = { bearer = bearer } },
  ["auth.digest"] = { auth = { digest = { SECRET, "p" } }, digest = true },
  ["the url"] = { userinfo = "u:" .. SECRET .. "@", shown = ENCODED },
}

local words = { shown = true, userinfo = true, digest = true }

local function options_of(place)
  local options = {}
  for name, value in pairs(place) do
    if not words[name] then options[name] = value end
  end
  return options
end

local function assert_none(requests)
  for _, bytes in ipairs(requests) do
    for _, secret in ipairs { SECRET, ENCODED, "nonce", "realm",
      "Authorization" } do
      assert.not_matches(secret, bytes, 1, true)
    end
  end
end

local function assert_some(place, requests, n)
  assert.matches(place.shown or SECRET, requests[n], 1, true)
end

-- ---- redirects ----

local here, there

before_each(function()
  here, there = support.server(), support.server()
end)
after_each(function()
  here:close()
  there:close()
end)

local function url_of(server, place, path)
  return ("http://%s127.0.0.1:%d%s"):format(place.userinfo or "", server.port,
    path)
end

-- One connection; with digest each answer follows a challenge.
local function answers(place, ...)
  if not place.digest then return ... end
  local list = {}
  for _, bytes in ipairs { ... } do
    list[#list + 1] = DIGEST
    list[#list + 1] = bytes
  end
  return table.unpack(list)
end

local bodies = {
  ["nothing"] = {},
  ["a body"] = { method = "POST", body = "what is sent" },
}

-- The options where they are to be: of the request, or of its client.
local function ask(where, place, url, body)
  local own, defaults = {}, {}
  for name, value in pairs(options_of(place)) do
    (where == "client" and defaults or own)[name] = value
  end
  for name, value in pairs(body) do own[name] = value end
  local client <close> = http.client(defaults)
  return assert(client:fetch(url, own))
end

local function where_of(place)
  return place.userinfo and { "request" } or { "request", "client" }
end

-- Where the same machine is another origin.
local elsewhere = {
  ["another port"] = function() return there.url .. "/to" end,
  ["another name"] = function()
    return ("http://localhost:%d/to"):format(there.port)
  end,
}

describe("A secret in", function()
  for name, place in pairs(places) do
    for _, where in ipairs(where_of(place)) do
      for _, status in ipairs { 301, 302, 303, 307, 308 } do
        it(("%s of a %s stays behind: %d"):format(name, where, status),
          function()
            for _, body in pairs(bodies) do
              here:reset()
              there:reset()
              here:replies(answers(place, moved(status, there.url .. "/to")))
              there:replies(DENIED, OK)
              local page = ask(where, place, url_of(here, place, "/"), body)
              assert.equal(401, page.status)
              local came = here:requests()
              assert_some(place, came, #came)
              assert.equal(1, #there:requests())
              assert_none(there:requests())
            end
          end)
      end

      for other, url in pairs(elsewhere) do
        it(("%s of a %s stays behind: %s"):format(name, where, other),
          function()
            here:replies(answers(place, moved(307, url())))
            there:replies(OK)
            ask(where, place, url_of(here, place, "/"), bodies["a body"])
            assert.matches("what is sent", there:request(1), 1, true)
            assert_none(there:requests())
          end)
      end

      it(("%s of a %s is not sent again on the way back"):format(name, where),
        function()
          local first, second = answers(place, moved(302, there.url))
          if second then
            here:replies(first, second, DENIED)
          else
            here:replies(first, DENIED)
          end
          there:replies(moved(302, here.url .. "/back"))
          local page = ask(where, place, url_of(here, place, "/"), {})
          assert.same({ 401, here.url .. "/back" }, { page.status, page.url })
          local came = here:requests()
          assert_some(place, came, #came - 1)
          assert_none { came[#came] }
        end)

      it(("%s of a %s is kept at its origin"):format(name, where), function()
        here:replies(answers(place, moved(307, "/to"), OK))
        ask(where, place, url_of(here, place, "/"), bodies["a body"])
        local came = here:requests()
        local first = place.digest and 2 or 1
        assert.matches("POST / ", came[first], 1, true)
        assert.matches("POST /to ", came[#came], 1, true)
        assert_some(place, came, first)
        assert_some(place, came, #came)
      end)

      it(("%s of a %s comes with each retry"):format(name, where), function()
        local busy = answer(503, "Retry-After: 0\r\n")
        here:replies(answers(place, busy, OK))
        ask(where, place, url_of(here, place, "/"), { retry = 1 })
        local came = here:requests()
        assert_some(place, came, place.digest and 2 or 1)
        assert_some(place, came, #came)
      end)

      it(("%s of a %s is not sent when elsewhere is asked again"):format(name,
        where), function()
        here:replies(answers(place, moved(302, there.url)))
        there:replies(answer(503, "Retry-After: 0\r\n"), OK)
        ask(where, place, url_of(here, place, "/"), { retry = 1 })
        assert.equal(2, #there:requests())
        assert_none(there:requests())
      end)
    end

    it(name .. " is in no error", function()
      here:replies(answers(place, moved(302, "ftp://x/?" .. SECRET)))
      local options = options_of(place)
      local page, err = http.fetch(url_of(here, place, "/?q=" .. SECRET),
        options)
      assert.is_nil(page)
      assert.equal("redirect", err.code)
      assert.not_matches(SECRET, tostring(err), 1, true)
      assert.not_matches(SECRET, err.url, 1, true)
    end)
  end

  it("a request's header is kept when secret_headers of its client name "
    .. "others", function()
      here:replies(moved(302, there.url))
      there:replies(OK)
      local client <close> = http.client { secret_headers = { "X-Key" } }
      client:fetch(here.url, { headers = { ["X-Key"] = SECRET,
        ["X-Open"] = "seen" } })
      assert_none(there:requests())
      assert.matches("X%-Open: seen", there:request(1))
    end)

  it("a client's header stays when the request names it", function()
    here:replies(moved(302, there.url))
    there:replies(OK)
    local client <close> = http.client { headers = { ["X-Key"] = SECRET } }
    client:fetch(here.url, { secret_headers = { "X-Key" } })
    assert.matches(SECRET, here:request(1), 1, true)
    assert_none(there:requests())
  end)

  it("Authorization stays, whatever secret_headers are unset", function()
    here:replies(moved(302, there.url))
    there:replies(OK)
    local client <close> = http.client { secret_headers = { "X-Key" } }
    client:fetch(here.url, { secret_headers = false,
      headers = { Authorization = SECRET } })
    assert_none(there:requests())
  end)

  it("a later request on the same handle is sent", function()
    here:replies(moved(302, there.url), OK)
    there:replies(OK)
    local options = { headers = { Cookie = "a=" .. SECRET },
      auth = { basic = { "u", SECRET } } }
    assert(http.fetch(here.url, options))
    assert(http.fetch(here.url, options))
    assert.matches(SECRET, here:request(2), 1, true)
    assert.matches(ENCODED, here:request(2), 1, true)
    assert_none(there:requests())
  end)
end)

describe("Credentials that a Location has", function()
  it("go where it leads, and the others do not", function()
    here:replies(moved(302, ("http://v:w@127.0.0.1:%d/"):format(there.port)))
    there:replies(OK)
    local page = assert(http.fetch(here.url, { auth = { basic = { "u", SECRET }
      } }))
    assert.matches("Authorization: Basic djp3\r\n", there:request(1), 1, true)
    assert.not_matches(ENCODED, there:request(1), 1, true)
    assert.equal(there.url .. "/", page.url)
  end)
end)

-- ---- over TLS ----

describe("From http to https on another origin", function()
  local certificates = support.certificates()
  local secure

  before_each(function()
    secure = support.server { tls = certificates.good }
  end)
  after_each(function() secure:close() end)

  for name, place in pairs(places) do
    it("a secret in " .. name .. " stays behind", function()
      here:replies(answers(place, moved(307, secure.url .. "/to")))
      secure:replies(DENIED)
      local options = options_of(place)
      options.tls = { ca = certificates.ca }
      local page = assert(http.fetch(url_of(here, place, "/"), options))
      assert.equal(secure.url .. "/to", page.url)
      assert_none(secure:requests())
    end)
  end
end)

-- ---- netrc ----

describe("A secret in ~/.netrc", function()
  local script = [[
    local http = require "curlew"
    local options = { auth = { netrc = true } }
    for i = 1, #arg do
      local page, err = http.fetch(arg[i], options)
      print(page and page.status or err)
    end
  ]]

  local function with_netrc(text, ...)
    local home = support.folder()
    local file <close> = assert(io.open(home .. "/.netrc", "w"))
    file:write(text)
    file:close()
    local _, _, out, err = support.run(script, { env = { HOME = home,
      CURL_HOME = home }, ... })
    assert.equal("", err)
    return out
  end

  local entries = {
    ["of its host"] = "machine 127.0.0.1 login u password " .. SECRET .. "\n",
    ["of default"] = "default login u password " .. SECRET .. "\n",
  }

  for name, entry in pairs(entries) do
    it(name .. " is sent there alone", function()
      here:replies(moved(302, there.url))
      there:replies(DENIED)
      assert.equal("401\n", with_netrc(entry, here.url))
      assert.matches(ENCODED, here:request(1), 1, true)
      assert_none(there:requests())
    end)

    it(name .. " stays at its origin", function()
      here:replies(moved(307, "/to"), OK)
      assert.equal("200\n", with_netrc(entry, here.url))
      assert.matches(ENCODED, here:request(2), 1, true)
    end)
  end

  it("is not sent to a host without an entry, by the same handle", function()
    here:replies(OK)
    there:replies(OK)
    local url = ("http://localhost:%d/"):format(there.port)
    assert.equal("200\n200\n", with_netrc(entries["of its host"], here.url,
      url))
    assert.matches(ENCODED, here:request(1), 1, true)
    assert_none(there:requests())
  end)
end)

-- ---- base_url ----

describe("A client with a base_url", function()
  for name, place in pairs(places) do
    if not place.userinfo then
      it("sends its secret in " .. name .. " there", function()
        here:replies(answers(place, OK))
        local options = options_of(place)
        options.base_url = here.url
        local client <close> = http.client(options)
        assert(client:fetch("/path"))
        local came = here:requests()
        assert_some(place, came, #came)
      end)

      it("sends its secret in " .. name .. " to an absolute url there",
        function()
          here:replies(answers(place, OK))
          local options = options_of(place)
          options.base_url = here.url .. "/v1"
          local client <close> = http.client(options)
          assert(client:fetch(here.url .. "/v2"))
          local came = here:requests()
          assert_some(place, came, #came)
        end)

      it("sends its secret in " .. name .. " nowhere else", function()
        there:replies(DENIED)
        local options = options_of(place)
        options.base_url = here.url
        local client <close> = http.client(options)
        assert.equal(401, assert(client:fetch(there.url)).status)
        assert.equal(1, #there:requests())
        assert_none(there:requests())
      end)

      it("and one that extends it sends its secret in " .. name
        .. " nowhere else", function()
          there:replies(DENIED)
          local options = options_of(place)
          options.base_url = here.url
          local client <close> = http.client(options)
          local more <close> = client:extend { user_agent = "x" }
          assert.equal(401, assert(more:fetch(there.url)).status)
          assert_none(there:requests())
        end)

      it("sends what a request says in " .. name .. " elsewhere", function()
        there:replies(answers(place, OK))
        local client <close> = http.client { base_url = here.url,
          auth = { basic = { "other", "password" } } }
        assert(client:fetch(there.url, options_of(place)))
        local came = there:requests()
        assert_some(place, came, #came)
        assert.not_matches("b3RoZXI6cGFzc3dvcmQ=", came[#came], 1, true)
      end)
    end
  end

  it("sends what a request has in its url elsewhere", function()
    there:replies(OK)
    local client <close> = http.client { base_url = here.url,
      auth = { bearer = "other" } }
    assert(client:fetch(("http://u:%s@127.0.0.1:%d/"):format(SECRET,
      there.port)))
    assert.matches(ENCODED, there:request(1), 1, true)
  end)

  it("does not get its own back by a redirect to it", function()
    there:replies(moved(302, here.url .. "/x"))
    here:replies(DENIED)
    local client <close> = http.client { base_url = here.url,
      headers = { Cookie = SECRET }, auth = { bearer = bearer } }
    assert.equal(401, assert(client:fetch(there.url)).status)
    assert_none(here:requests())
  end)
end)
