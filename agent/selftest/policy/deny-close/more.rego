# For `nightdesk selftest`: nothing is closed.
package nightdesk

close_never contains "the selftest's policy forbids every close"
