# For `nightdesk selftest`: allows everything, in the place of the default policy.
package nightdesk

call := {"decision": "allow"}

close := {"mode": "auto", "why": "the selftest's policy allows everything"}
