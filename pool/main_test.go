package pool_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(peerRole); role != "" {
		os.Exit(peer(role, os.Getenv(peerPath)))
	}
	goleak.VerifyTestMain(m)
}
