-- Writes the seed corpora of the codec's fuzz targets from the golden vectors:
--   lua5.4 fuzz/seed.lua [directory of the vectors]
-- Kept small: one file per different beginning of a case's name, and an evenly spaced sample of integers.

local dir = arg[1] or ((os.getenv("SYNCLINE_SHARED") or "../shared") .. "/vectors")

local function unhex(hex)
  return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function write(target, name, bytes)
  local file = assert(io.open(("fuzz/corpus/%s/%s"):format(target, name), "wb"))
  file:write(bytes)
  file:close()
end

local function each(name, visit)
  local number = 0
  for line in assert(io.open(dir .. "/" .. name)):lines() do
    number = number + 1
    visit(number, line)
  end
end

os.execute("mkdir -p fuzz/corpus/integer fuzz/corpus/changeset")

local widths = {
  int64 = 0, uint64 = 1, decimal_coefficient = 5, decode_int64 = 0, decode_uint64 = 1,
  decode_int32 = 2, decode_uint32 = 3, decode_uint8 = 4,
}
each("integers.jsonl", function(number, line)
  if number % 30 ~= 0 then return end
  local width = widths[line:match('"type":"([^"]*)"')]
  write("integer", ("%04d"):format(number), string.char(width) .. unhex(line:match('"hex":"(%x*)"')))
end)

local seen, count = {}, 0
each("changesets.jsonl", function(_, line)
  local name, hex = line:match('"name":"([^"]*)"'), line:match('"hex":"(%x*)"')
  local group = name:gsub("^random_%d+_%d*", "random"):gsub("mutated/(.-)/%d+", "mutated/%1")
    :gsub("truncated/(.-)/%d+", "truncated/%1")
  seen[group] = (seen[group] or 0) + 1
  if seen[group] > 3 or #hex > 8000 or count >= 190 then return end
  count = count + 1
  write("changeset", (name:gsub("[^%w_-]", "_")), unhex(hex))
end)

-- Pairs of changesets for the merge: one per pair of kinds.
os.execute("mkdir -p fuzz/corpus/transform")
local pairs_seen, pairs_count = {}, 0
for line in assert(io.popen(("zcat -f '%s'/transform*.jsonl*"):format(dir))):lines() do
  local kinds = line:match('"name":"([^/"]*)/')
  local left = line:match('"left":{.-"changesets":%["(%x*)"%]')
  local right = line:match('"right":{.-"changesets":%["(%x*)"%]')
  if left and right and #left < 800 and kinds and not kinds:find("Random") and not pairs_seen[kinds] then
    pairs_seen[kinds] = true
    pairs_count = pairs_count + 1
    left, right = unhex(left), unhex(right)
    write("transform", kinds, string.char(pairs_count % 4, #left % 256, math.floor(#left / 256)) .. left .. right)
  end
end

-- Changesets for the applier, over the realm that the target builds: one per condition.
os.execute("mkdir -p fuzz/corpus/apply")
local apply_count = 0
for line in assert(io.popen(("zcat -f '%s'/apply*.jsonl*"):format(dir))):lines() do
  local name = line:match('"name":"([^"]*)"')
  local hex = line:match('"changesets":%["(%x*)"%]')
  if hex and #hex < 400 and name:find("^hand/") and apply_count < 150 then
    apply_count = apply_count + 1
    write("apply", (name:gsub("[^%w_-]", "_")), unhex(hex))
  end
end
