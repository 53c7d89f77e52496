-- Wireshark dissector of Kenning's protocol (docs/protocol.md).
--
--   wireshark -X lua_script:share/wireshark/kenning.lua
--   tshark -X lua_script:share/wireshark/kenning.lua -o kenning.wire:12-byte -d tcp.port==12345,kenning -r session.pcap
--
-- No format names itself on the wire: the preference kenning.wire says which one it is.

local kenning = Proto("kenning", "Kenning")

local WIRE_2022, WIRE_8, WIRE_12 = 1, 2, 3
kenning.prefs.wire = Pref.enum("Wire format", WIRE_12, "Format of the headers, as the parameter 'wire'",
  { { 1, "2022", WIRE_2022 }, { 2, "8-byte", WIRE_8 }, { 3, "12-byte", WIRE_12 } }, false)
kenning.prefs.big_endian = Pref.bool("Big-endian", false, "Sizes of the format of 2022 are big-endian")
kenning.prefs.port = Pref.uint("Port of the target", 12345, "Messages from this port are the target's")

local HEADER = { [WIRE_2022] = 6, [WIRE_8] = 8, [WIRE_12] = 12 }
local HAS_PAYLOAD, FIRST, LAST, FAIL = 0x8, 0x10, 0x20, 0x2
local LARGEST = 0x7fffffff

-- The numbers of src/wire/message.h.
local MESSAGES = {
  [0] = "PING", [1] = "STATUS", [2] = "DATA", [3] = "MODEL", [4] = "PROCESS", [5] = "OUTPUT", [6] = "STATS",
  [7] = "IO_SPEC", [8] = "TRACE_DATA", [9] = "OPTIMIZERS", [10] = "OPTIMIZE_MODEL", [11] = "RUNTIME",
  [12] = "UNOPTIMIZED_MODEL", [13] = "LOGS", [48] = "INFER", [49] = "CLOCK", [50] = "IDENTITY", [51] = "HEARTBEAT",
}
local FLOWS = { [0] = "request", [1] = "request to transmit again", [2] = "acknowledgement", [3] = "transmission" }
local ACTIONS = {
  [0] = "waiting for a client", [1] = "client connected", [2] = "uploading the io specification",
  [3] = "uploading the model", [4] = "uploading the unoptimized model", [5] = "uploading the input",
  [6] = "processing the input", [7] = "extracting the output", [8] = "computing statistics",
  [9] = "optimizing the model", [10] = "uploading optimizers", [11] = "uploading the runtime", [12] = "idle",
}

local f = kenning.fields
f.hello = ProtoField.uint8("kenning.hello", "Greeting of the target", base.HEX)
f.size = ProtoField.uint32("kenning.size", "Bytes that follow")
f.type = ProtoField.uint64("kenning.type", "Type")
f.name = ProtoField.string("kenning.name", "Message")
f.flow = ProtoField.uint8("kenning.flow", "Flow", base.DEC, FLOWS)
f.checksum = ProtoField.uint8("kenning.checksum", "Checksum", base.HEX)
f.sum = ProtoField.uint8("kenning.sum", "All bytes of the frame combined (0x4b where checksums are on)", base.HEX)
f.flags = ProtoField.uint16("kenning.flags", "Flags", base.HEX)
f.success = ProtoField.bool("kenning.flags.success", "Success", 16, nil, 0x1)
f.fail = ProtoField.bool("kenning.flags.fail", "Fail", 16, nil, 0x2)
f.host = ProtoField.bool("kenning.flags.host", "Message of the host", 16, nil, 0x4)
f.payload_flag = ProtoField.bool("kenning.flags.payload", "Has a payload", 16, nil, 0x8)
f.first = ProtoField.bool("kenning.flags.first", "First piece", 16, nil, 0x10)
f.last = ProtoField.bool("kenning.flags.last", "Last piece", 16, nil, 0x20)
f.kenning = ProtoField.bool("kenning.flags.kenning", "Target is a Kenning", 16, nil, 0x40)
f.zephyr = ProtoField.bool("kenning.flags.zephyr", "Target is a kenning-zephyr-runtime", 16, nil, 0x80)
f.serialized = ProtoField.bool("kenning.flags.serialized", "Packed io specification", 16, nil, 0x1000)
f.length = ProtoField.uint32("kenning.length", "Bytes of payload")
f.payload = ProtoField.bytes("kenning.payload", "Payload")
f.text = ProtoField.string("kenning.text", "Text")
f.action = ProtoField.uint8("kenning.action", "Action of the target", base.DEC, ACTIONS)
f.log = ProtoField.string("kenning.log", "Log")

local malformed = ProtoExpert.new("kenning.malformed", "Size that no message has", expert.group.MALFORMED,
  expert.severity.ERROR)
kenning.experts = { malformed }

local stream_field = Field.new("tcp.stream")
local greetings = {} -- per stream: number of the frame that begins with the greeting

function kenning.init() greetings = {} end

local function from_target(pinfo) return pinfo.src_port == kenning.prefs.port end

-- type, flow, flags, payload bytes; nil for a size that cannot be
local function read_header(tvb, wire)
  if wire == WIRE_2022 then
    local size = kenning.prefs.big_endian and tvb(0, 4):uint() or tvb(0, 4):le_uint()
    local kind = tvb(4, 2):le_uint()
    if kenning.prefs.big_endian and kind > 255 and kind % 256 == 0 then kind = kind / 256 end
    if size < 2 then return nil end
    return kind, nil, FIRST + LAST, size - 2
  end
  local kind, flow, flags, bytes
  if wire == WIRE_8 then
    kind, flow = tvb(0, 1):uint() % 64, math.floor(tvb(0, 1):uint() / 64)
    flags, bytes = tvb(2, 2):le_uint(), tvb(4, 4):le_uint()
  else
    local high = tvb(4, 1):uint()
    kind, flow = tvb(0, 4):le_uint() + high % 64 * 4294967296, math.floor(high / 64)
    flags, bytes = tvb(6, 2):le_uint(), tvb(8, 4):le_uint()
  end
  if math.floor(flags / HAS_PAYLOAD) % 2 == 0 then bytes = 0 end
  return kind, flow, flags, bytes
end

local function name_of(kind, wire, target)
  if wire == WIRE_2022 and target and kind == 0 then return "OK" end
  if wire == WIRE_2022 and target and kind == 1 then return "ERROR" end
  return MESSAGES[kind] or string.format("unknown type %d", kind)
end

local function add_flags(tree, range)
  local sub = tree:add_le(f.flags, range)
  for _, field in ipairs({ f.success, f.fail, f.host, f.payload_flag, f.first, f.last, f.kenning, f.zephyr,
                           f.serialized }) do
    sub:add_le(field, range)
  end
end

local function combined(range)
  local sum = 0
  local bytes = range:bytes()
  for i = 0, bytes:len() - 1 do sum = bit.bxor(sum, bytes:get_index(i)) end
  return sum
end

-- Lines, each behind its length.
local function add_log(tree, range)
  local at = 0
  while at < range:len() do
    local length = math.min(range(at, 1):uint(), range:len() - at - 1)
    if length > 0 then tree:add(f.log, range(at + 1, length)) end
    at = at + 1 + length
  end
end

local function add_payload(tree, range, kind, wire, target)
  tree:add(f.payload, range)
  local first = range(0, 1):uint()
  if wire ~= WIRE_2022 and target and range:len() == 1 then tree:add(f.action, range) end
  if wire ~= WIRE_2022 and kind == 13 and target then add_log(tree, range) end
  if first == 0x7b then tree:add(f.text, range) end -- {
end

local function dissect_message(tvb, pinfo, tree, wire, kind, flow, flags, bytes)
  local target, header = from_target(pinfo), HEADER[wire]
  local name = name_of(kind, wire, target)
  local sub = tree:add(kenning, tvb(), string.format("Kenning, %s", name))
  sub:add(f.type, tvb(wire == WIRE_2022 and 4 or 0, wire == WIRE_12 and 5 or wire == WIRE_8 and 1 or 2),
    UInt64.new(kind % 4294967296, math.floor(kind / 4294967296)))
  sub:add(f.name, tvb(0, header), name):set_generated()
  local words = name
  if wire == WIRE_2022 then
    sub:add(f.size, tvb(0, 4), bytes + 2)
  else
    local rest = wire == WIRE_8 and 1 or 5
    sub:add(f.flow, tvb(rest - 1, 1), flow)
    sub:add(f.checksum, tvb(rest, 1))
    add_flags(sub, tvb(rest + 1, 2))
    if tvb(rest, 1):uint() ~= 0 then sub:add(f.sum, tvb(), combined(tvb())):set_generated() end
    words = words .. " " .. FLOWS[flow]
    if math.floor(flags / FAIL) % 2 == 1 then words = words .. ", failed" end
    if math.floor(flags / FIRST) % 2 == 0 or math.floor(flags / LAST) % 2 == 0 then words = words .. ", a piece" end
  end
  sub:add(f.length, tvb(0, header), bytes):set_generated()
  if bytes > 0 then
    add_payload(sub, tvb(header, bytes), kind, wire, target)
    words = words .. string.format(", %d bytes", bytes)
  end
  return words
end

-- The target's first byte, where the format has one.
local function greeting(tvb, pinfo, tree, wire)
  if wire == WIRE_2022 or not from_target(pinfo) then return 0 end
  local stream = stream_field()
  local key = stream and stream.value or 0
  if not greetings[key] then greetings[key] = tvb(0, 1):uint() == 0 and pinfo.number or -1 end
  if greetings[key] ~= pinfo.number or tvb(0, 1):uint() ~= 0 then return 0 end
  tree:add(kenning, tvb(0, 1), "Kenning, greeting"):add(f.hello, tvb(0, 1))
  return 1
end

function kenning.dissector(tvb, pinfo, tree)
  local wire, length = kenning.prefs.wire, tvb:len()
  local header = HEADER[wire]
  pinfo.cols.protocol = "Kenning"
  local offset = greeting(tvb, pinfo, tree, wire)
  local words = offset > 0 and { "greeting" } or {}
  while offset < length do
    local left = length - offset
    if left < header then
      pinfo.desegment_offset, pinfo.desegment_len = offset, DESEGMENT_ONE_MORE_SEGMENT
      break
    end
    local kind, flow, flags, bytes = read_header(tvb(offset, header):tvb(), wire)
    if not kind or bytes > LARGEST then
      tree:add(kenning, tvb(offset)):add_proto_expert_info(malformed)
      return length
    end
    if left < header + bytes then
      pinfo.desegment_offset, pinfo.desegment_len = offset, header + bytes - left
      break
    end
    words[#words + 1] = dissect_message(tvb(offset, header + bytes):tvb(), pinfo, tree, wire, kind, flow, flags, bytes)
    offset = offset + header + bytes
  end
  if #words > 0 then pinfo.cols.info = table.concat(words, "; ") end
  return length
end

DissectorTable.get("tcp.port"):add(12345, kenning)
