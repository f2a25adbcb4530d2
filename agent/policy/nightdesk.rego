# The last word on every tool call and every close. It can only narrow what the gate allows; README.md says what it
# reads and what it may answer.
#
# To narrow further, leave this file as it is and put a second one beside it, in the same package: every rule set below
# takes reasons from all files. To change a default, put a file of this name into your folder.

package nightdesk

# ---- Tool calls -----------------------------------------------------------------------------------------------------
#
# Two sets of reasons. One reason to deny is enough; else one reason for approval is enough. An input that no line
# foresees gets no answer, and no answer is a refusal.

call := {"decision": "deny", "why": concat("; ", call_denied)} if {
	count(call_denied) > 0
} else := {"decision": "approval", "why": concat("; ", call_approval)} if {
	count(call_approval) > 0
} else := {"decision": "allow"} if {
	input.class in reading | effects
}

reading := {"read_internal", "read_egress"}

effects := {"write", "suppress", "destructive"}

# What a model asks for is not a reason to act: it may have read the attacker's words. Raising makes nothing be seen
# less, so it may do that.
call_denied contains "a model may ask for reading and raising only" if {
	input.class in effects
	input.asked_by == "model"
	not input.raise
}

# A write that raises (opens a ticket, pages somebody) needs nobody; any other change waits for a person. The gate asks
# for approval of a destructive call whatever stands here.
call_approval contains sprintf("%s changes something and does not only raise", [input.tool]) if {
	input.class in effects
	not raises
	not says
}

raises if {
	input.class == "write"
	input.raise
}

# What the gate or a person has decided of an alert is said at its source as far as `[sources.write_back] mode` goes. The
# gate has compared it, byte for byte, with what is to be said.
says if {
	input.class in {"write", "suppress"}
	input.asked_by == "daemon"
	input.says in {"comment", "open", "closed"}
}

# ---- Closes ---------------------------------------------------------------------------------------------------------
#
# Asked when everything else lets a case close. The same pattern: reasons never to close without a person having taken
# the case over, then reasons to propose the close to a person, else what `[closing] mode` says.

close := {"mode": "never", "why": concat("; ", close_never)} if {
	count(close_never) > 0
} else := {"mode": "propose", "why": concat("; ", close_propose)} if {
	count(close_propose) > 0
} else := {"mode": input.mode, "why": "as configured"}

close_never contains sprintf("the verdict is %s", [input.verdict]) if {
	not input.verdict in {"benign_positive", "false_positive", "duplicate"}
}

close_propose contains sprintf("the severity is %s", [input.case.severity]) if {
	input.case.severity == "fatal"
}

# An account or tenant is left out: nearly every alert of a cloud stands in one that is critical.
close_propose contains sprintf("%s is a critical asset", [asset.value]) if {
	some asset in input.case.assets
	asset.kind != "account"
	lower(asset.criticality) == "critical"
}
