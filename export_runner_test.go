package dsr

// Jobs counts the jobs that an executor holds, those that run among them.
func (e *LocalExecutor) Jobs() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.waiting.Len() + len(e.running)
}
