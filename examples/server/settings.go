package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godsr/dsr/adapters/api/oauth"
)

// settings are the flags.
type settings struct {
	addr, data, store string
	demo              bool
	perMinute         int
	lease, drain      time.Duration
	allow             string
	approval          bool
}

// parse reads the arguments of the command. What is wrong with them is written
// out with the usage.
func parse(args []string, out io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprintf(out, "Server answers data subject requests over HTTP. Without the demo, its first client is that of the variables\n"+
			"%s and %s.\n\nFlags:\n", oauth.EnvRootID, oauth.EnvRootSecret)
		flags.PrintDefaults()
	}
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8080", "listen on this `address`")
	flags.StringVar(&s.data, "data", "dsr-data", "keep keys, packages, files and the demo shop in this `folder`; files of SQLite that connections name go into its folder \"databases\"")
	flags.StringVar(&s.store, "store", "", "keep requests and configuration at this postgres:// `address`, instead of in a SQLite file in the folder;\nits password may be in the variable PGPASSWORD, where fewer see it")
	flags.BoolVar(&s.demo, "demo", true, "make a small shop, with a client and policies to try it")
	flags.IntVar(&s.perMinute, "per-minute", 0, "let a client make this `number` of requests a minute; 1,200 by default")
	flags.BoolVar(&s.approval, "approval", false, "let a person approve requests before they are worked on")
	flags.DurationVar(&s.lease, "lease", time.Minute, "take over after this `time` what a killed process was working on")
	flags.DurationVar(&s.drain, "drain", 10*time.Second, "let HTTP requests finish for this `time` when it is stopped")
	flags.StringVar(&s.allow, "allow", "localhost,127.0.0.0/8,::1/128", "let connections go to these `hosts`: names, such as *.db.shop.example, and networks, with commas between")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("it takes flags only, not %q", flags.Arg(0))
		fmt.Fprintln(out, err)
		flags.Usage()
		return s, err
	}
	return s, nil
}

// check tells every fault of the settings, and what the environment lacks,
// before anything is made.
func (s *settings) check(root oauth.Credentials) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.data == "" {
		fault("-data must name a folder")
	}
	if s.store != "" {
		if !strings.HasPrefix(s.store, "postgres://") && !strings.HasPrefix(s.store, "postgresql://") {
			fault("-store must be a postgres:// address; without it a SQLite file is used")
		} else if _, err := pgxpool.ParseConfig(s.store); err != nil {
			fault("-store is no address that PostgreSQL understands") // that error may quote the password
		}
	}
	if s.perMinute < 0 {
		fault("-per-minute must not be negative")
	}
	if s.lease < 0 {
		fault("-lease must not be negative")
	}
	if s.drain < 0 {
		fault("-drain must not be negative")
	}
	if _, err := hookType(strings.Split(s.allow, ",")); err != nil {
		faults = append(faults, err)
	}
	switch {
	case (root.ID == "") != (root.Secret == ""):
		fault("set both %s and %s, or neither", oauth.EnvRootID, oauth.EnvRootSecret)
	case root.ID == "" && !s.demo:
		fault("without the demo, set %s and %s (at least 16 bytes): nobody else could make the first client", oauth.EnvRootID, oauth.EnvRootSecret)
	}
	return errors.Join(faults...)
}
