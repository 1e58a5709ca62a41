// Package emulator says what an emulator of a processor leaves out, so that a
// test that needs it is skipped there and nowhere else. "make arm64" runs tests
// under qemu-user.
package emulator
