# Boston 311 cases as the city exports them, one CSV row a case, to events.
#
# The export names no zone: its times are read as UTC. `target_raw` is the deadline that the city set itself; a
# case without one has none. The city dispatches at receipt and tells no later hand-over.

def utc: if . == "" then null else sub(" "; "T") + "Z" end;

def event($row; $type; $time; $data):
  {
    specversion: "1.0",
    type: "hotline.case.\($type).v1",
    source: "/hotline/boston311",
    id: "\($row.case_enquiry_id)-\($type)",
    subject: "boston311:\($row.case_enquiry_id)",
    time: $time,
    data: $data
  };

. as $row
| (.open_raw | utc) as $opened
| (.target_raw | utc) as $target
| (.closed_raw | utc) as $closed
| event($row; "received"; $opened;
    {
      case_type: "complaint",
      category: [.type, .reason, .subject],
      number: .case_enquiry_id
    }
    + if .channel == "" then {} else { channel: .channel } end
    + if .neighborhood == "" then {} else { region: .neighborhood } end
    + if $target == null then {} else { own_limit: { due_at: $target } } end),
  event($row; "dispatched"; $opened; { department: .department }),
  if $closed == null then empty else event($row; "closed"; $closed; { department: .department }) end
