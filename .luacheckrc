-- Settings of luacheck: Lua 5.4 and nothing global; specs may use busted too.
std = "lua54"
max_line_length = 80
exclude_files = { "build/**" }
files["spec"] = { std = "+busted" }
