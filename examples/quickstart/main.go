// The quickstart makes a small web shop in two SQLite files, answers a person
// who wants to know what the shop holds about her, forgets her, and looks
// whether that is true. It needs no server and no arguments:
//
//	go run ./examples/quickstart
//
// Read tour.go for the steps, engine.go for how the library is set up, and
// shop.yml and crm.yml for how databases are described.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	dir := flag.String("dir", "", "write everything into this new or empty `folder`, instead of a temporary one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *dir, newScreen(os.Stdout))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}
