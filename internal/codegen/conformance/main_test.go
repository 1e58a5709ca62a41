package conformance_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lidodb/lido/internal/codegen/gentest"
)

func TestMain(m *testing.M) {
	gentest.Plugin()
	goleak.VerifyTestMain(m)
}
