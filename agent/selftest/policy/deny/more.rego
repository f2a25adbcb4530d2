# For `nightdesk selftest`: nothing is called.
package nightdesk

call_denied contains "the selftest's policy forbids every call"
