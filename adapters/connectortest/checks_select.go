package connectortest

func selectChecks() []Check   { return nil }
func valueChecks() []Check    { return nil }
func documentChecks() []Check { return nil }
func writeChecks() []Check    { return nil }
func refusalChecks() []Check  { return nil }
func cursorChecks() []Check   { return nil }
func schemaChecks() []Check   { return nil }
