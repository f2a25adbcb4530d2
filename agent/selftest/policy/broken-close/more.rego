# For `nightdesk selftest`: fails in every evaluation of a close.
package nightdesk

close_never contains reason if reason := sprintf("%d", [to_number("no number")])
