# Boston 311 service requests, as the city exports them: one row of the table to the events of one case.
#
# The export's times have no zone; they are read as UTC. Ids are made of the case and the event's name, so
# importing the same table twice changes nothing.

def instant: "\(.[:10])T\(.[11:])Z";

# A code is 1 to 64 bytes: blank fields are left out.
def codes: map(trim | select(. != ""));

def event($row; $name; $time; $data): {
  specversion: "1.0",
  type: "hotline.case.\($name).v1",
  source: "/hotline/boston311",
  id: "\($row.case_enquiry_id)-\($name)",
  subject: "boston311:\($row.case_enquiry_id)",
  time: ($time | instant),
  data: $data
};

. as $row
| if $row.case_enquiry_id == "" then error("no case_enquiry_id") else . end
| ([$row.type, $row.reason, $row.subject] | codes) as $category
| event($row; "received"; $row.open_raw;
    { case_type: "complaint", number: $row.case_enquiry_id }
    + if $category != [] then { category: $category } else {} end
    + ([$row.neighborhood] | codes | if . != [] then { region: .[0] } else {} end)
    + ([$row.channel] | codes | if . != [] then { channel: .[0] } else {} end)
    + if $row.target_raw != "" then { own_limit: { due_at: ($row.target_raw | instant) } } else {} end),
  event($row; "dispatched"; $row.open_raw; { department: $row.department }),
  if $row.closed_raw != "" then event($row; "closed"; $row.closed_raw; { department: $row.department }) else empty end
