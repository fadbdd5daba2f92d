package dsr

import (
	"errors"
	"fmt"
	"strings"

	"github.com/godsr/dsr/graph"
)

// ConfigError tells every fault of a configuration.
type ConfigError struct {
	faults []error
	text   string
}

// Error lists the faults, one a line.
func (e *ConfigError) Error() string { return e.text }

// Unwrap returns the faults, for [errors.As].
func (e *ConfigError) Unwrap() []error { return e.faults }

func formatFaults(errs []error) string {
	var lines []string
	for _, err := range errs {
		var fault *graph.FaultError
		if !errors.As(err, &fault) {
			lines = append(lines, err.Error())
			continue
		}
		for _, d := range fault.Faults {
			lines = append(lines, d.String())
		}
	}
	return fmt.Sprintf("dsr: the configuration has %d fault(s):\n\t%s", len(lines), strings.Join(lines, "\n\t"))
}
