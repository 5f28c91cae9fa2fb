-- Removes the cookies that Identity-Aware Proxy has set for itself: sessions, accounts, and the nonces of a sign-in.

local function of_iap(cookie)
  local name = cookie:match("^%s*([^=]*)"):gsub("^__Host%-", ""):gsub("^__Secure%-", "")
  return name:find("^GCP_IAA?P_") ~= nil
end

local function without_them(header)
  local kept = {}
  for cookie in (header .. ";"):gmatch("([^;]*);") do
    if not of_iap(cookie) then
      kept[#kept + 1] = cookie
    end
  end
  local rest = table.concat(kept, ";"):gsub("^%s+", "")
  return rest
end

function envoy_on_request(handle)
  local headers, kept, changed = handle:headers(), {}, false
  for index = 0, headers:getNumValues("cookie") - 1 do
    local header = headers:getAtIndex("cookie", index)
    local rest = without_them(header)
    changed = changed or rest ~= header
    if rest ~= "" then
      kept[#kept + 1] = rest
    end
  end
  if changed then
    headers:remove("cookie")
    for _, rest in ipairs(kept) do
      headers:add("cookie", rest)
    end
  end
end
