# For `nightdesk selftest`: fails in every evaluation of a call.
package nightdesk

call_denied contains reason if reason := sprintf("%d", [to_number("no number")])
