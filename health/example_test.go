package health_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/pool"
)

// A service that answers probes, with a check of its own.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	monitor, err := health.New(health.Config{
		DiskDegradedBytes: 1, DiskFailedBytes: 1, // for an example that runs anywhere
		Checks: []health.Check{{
			Name: "queue_length",
			Run: func(ctx context.Context, db *pool.DB) health.Result {
				return health.Result{
					Status: health.Degraded,
					Reason: "4,012 jobs wait, 1,000 or more",
					Remedy: "start another worker",
				}
			},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	readyz := func() {
		w := httptest.NewRecorder()
		monitor.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		fmt.Print(w.Code, " ", w.Body)
	}

	readyz()
	ctx := context.Background()
	db, err := pool.Open(ctx, filepath.Join(dir, "app.db"), pool.Config{Services: []pool.Service{monitor}})
	if err != nil {
		log.Fatal(err)
	}
	readyz()

	report, err := monitor.Run(ctx, health.FreshRead, health.QuickCheck, "queue_length")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("overall:", report.Status)
	for _, c := range report.Checks {
		fmt.Println(c.Name, "is", c.Status)
		if c.Remedy != "" {
			fmt.Println("   ", c.Reason, "->", c.Remedy)
		}
	}

	monitor.Drain()
	readyz()
	if err := db.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 503 {"status":"starting"}
	// 200 {"status":"ok"}
	// overall: degraded
	// fresh_read is ok
	// queue_length is degraded
	//     4,012 jobs wait, 1,000 or more -> start another worker
	// quick_check is ok
	// 503 {"status":"draining"}
}
