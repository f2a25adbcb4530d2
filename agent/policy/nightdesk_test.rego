# Unit tests of the policy in force, run by `nightdesk check`: each rule `test_…` must come out true.
# A file of tests is one whose name ends in _test.rego; its package is not `nightdesk`, so it decides nothing.

package nightdesk_test

import data.nightdesk

case := {
	"id": "ND-1",
	"sources": ["siem"],
	"rules": [{"id": "example-rule", "name": "Example", "groups": []}],
	"severity": "high",
	"assets": [],
	"entities": [{"kind": "user", "value": "ana@example.com", "role": "principal", "trust": "trusted"}],
}

# Wednesday noon.
time := {"rfc3339": "2025-01-01T12:00:00Z", "hour": 12, "weekday": "wednesday"}

read := {
	"tool": "identity.get_user",
	"server": "identity",
	"class": "read_internal",
	"tier": 1,
	"asked_by": "playbook",
	"arguments": {"user": "ana@example.com"},
	"target": null,
	"raise": false,
	"says": null,
	"live": false,
	"case": case,
	"time": time,
}

write := object.union(read, {"tool": "tickets.comment", "server": "tickets", "class": "write"})

harmless := {
	"mode": "auto",
	"case": case,
	"verdict": "benign_positive",
	"confidence": 95,
	"probability": 0.02,
	"playbook": "example",
	"tier": 1,
	"analyst": "playbook",
	"time": time,
}

owning(asset) := object.union(harmless, {"case": object.union(case, {"assets": [asset]})})

severe(severity) := object.union(harmless, {"case": object.union(case, {"severity": severity})})

test_reading_is_allowed if {
	every class in {"read_internal", "read_egress"} {
		every who in {"playbook", "model", "person", "daemon"} {
			answer := nightdesk.call with input as object.union(read, {"class": class, "asked_by": who})
			answer.decision == "allow"
		}
	}
}

test_polling_a_source_without_a_case_is_allowed if {
	answer := nightdesk.call with input as object.union(read, {"asked_by": "daemon", "case": null, "tier": null})
	answer.decision == "allow"
}

test_raising_needs_nobody if {
	answer := nightdesk.call with input as object.union(write, {"raise": true})
	answer.decision == "allow"
}

test_other_changes_wait_for_a_person if {
	every class in {"write", "suppress", "destructive"} {
		answer := nightdesk.call with input as object.union(write, {"class": class})
		answer.decision == "approval"
	}
}

test_raise_frees_writes_only if {
	every class in {"suppress", "destructive"} {
		answer := nightdesk.call with input as object.union(write, {"class": class, "raise": true})
		answer.decision == "approval"
	}
}

test_what_is_said_of_an_alert_needs_nobody_else if {
	every word in {"comment", "open", "closed"} {
		every class in {"write", "suppress"} {
			said := {"class": class, "says": word, "asked_by": "daemon"}
			answer := nightdesk.call with input as object.union(write, said)
			answer.decision == "allow"
		}
	}
}

test_only_the_daemon_says_and_never_destroys if {
	every asked in {{"asked_by": "playbook"}, {"class": "destructive"}, {"says": "anything"}} {
		said := object.union({"class": "suppress", "says": "closed", "asked_by": "daemon"}, asked)
		answer := nightdesk.call with input as object.union(write, said)
		answer.decision == "approval"
	}
}

test_a_model_changes_nothing if {
	answer := nightdesk.call with input as object.union(write, {"asked_by": "model"})
	answer.decision == "deny"
}

test_an_unknown_class_gets_no_answer if {
	not nightdesk.call with input as object.union(read, {"class": "other"})
}

test_the_configured_mode_holds if {
	every mode in {"never", "propose", "auto"} {
		answer := nightdesk.close with input as object.union(harmless, {"mode": mode})
		answer.mode == mode
	}
}

test_the_severest_are_proposed if {
	answer := nightdesk.close with input as severe("fatal")
	answer.mode == "propose"
}

test_below_the_mode_holds if {
	every severity in {"unknown", "informational", "low", "medium", "high", "critical"} {
		answer := nightdesk.close with input as severe(severity)
		answer.mode == "auto"
	}
}

test_critical_assets_are_proposed if {
	answer := nightdesk.close with input as owning({"kind": "host", "value": "dc01", "criticality": "Critical"})
	answer.mode == "propose"
}

test_a_critical_account_is_not_enough if {
	answer := nightdesk.close with input as owning({"kind": "account", "value": "prod", "criticality": "critical"})
	answer.mode == "auto"
}

test_only_harmless_verdicts_close if {
	every verdict in {"true_positive", "suspicious", "undetermined"} {
		answer := nightdesk.close with input as object.union(harmless, {"verdict": verdict})
		answer.mode == "never"
	}
}
