package dsr

// Jobs counts the jobs that an executor holds, those that run among them.
func (e *LocalExecutor) Jobs() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.waiting.Len() + len(e.running)
}

// Local is the executor of an engine that was given none.
func (e *Engine) Local() *LocalExecutor {
	executor, _ := e.runner.executor.(*LocalExecutor)
	return executor
}
