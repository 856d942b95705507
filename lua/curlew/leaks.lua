--- leaks: who holds what, and who forgot.
--
--     local leaks = require "curlew.leaks"
--     for _, record in ipairs(leaks.open()) do print(record) end
--
-- SPDX-License-Identifier: MIT

local core = require "curlew.core"

local leaks = {}

--- What is open now, oldest first.
-- @treturn table records
leaks.open = core.leaks.open

--- The last 64 leaks, oldest first.
-- @treturn table records
leaks.records = core.leaks.records

--- Holds the books against what there is: opened = open + released + leaked,
-- of the state and of each client, with the open ones counted anew, and every
-- socket that libcurl holds against the system's.
-- @treturn true|nil
-- @treturn table what differs, in sentences
leaks.audit = core.leaks.audit

return leaks
