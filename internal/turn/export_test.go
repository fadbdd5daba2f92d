package turn

// Parties tells of how many parties a gate knows.
func Parties(g *Gate) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.lines) + len(g.served) + g.round.Len() + g.next.Len()
}
