-- For wrk: each request comes from the next of many users. wrk -s users.lua URL -- COUNT [FIRST]
local head, tail, count, at

function init(args)
	count, at = tonumber(args[1]), tonumber(args[2] or 0)
	wrk.headers["X-User"] = "@@@@@@@@"
	head, tail = string.match(wrk.format(), "^(.*)@@@@@@@@(.*)$")
end

function request()
	at = at % count + 1
	return head .. string.format("%08d", at) .. tail
end
