package graph

import (
	"context"
	"fmt"
	"slices"
)

// visitCycle visits the members in rounds: the first visits all, each further
// one those whose feeders found something new, until nobody does.
func (w *walk) visitCycle(ctx context.Context, steps []int) []Outcome {
	total := make([]Outcome, len(steps))
	due := make([]bool, len(steps))
	rounds := make([]int, len(steps))
	feeders := w.feeders(steps)
	for n, i := range steps {
		total[n] = Outcome{Address: w.plan.Steps[i].Address(), State: Done}
		due[n] = true
	}
	for round := 0; slices.Contains(due, true); round++ {
		if round == w.opts.Rounds {
			for n := range total {
				total[n].State = Suspended
				total[n].Message = fmt.Sprintf("the cycle still found new values after %d rounds; raise the limit, or break the cycle in the datasets", round)
			}
			return total
		}
		fresh := make([]bool, len(steps))
		for n, i := range steps {
			if !due[n] {
				continue
			}
			due[n] = false
			o := w.call(ctx, i, rounds[n])
			rounds[n]++
			total[n].Rows += o.Rows
			total[n].Uncastable += o.Uncastable
			if o.State == Skipped { // for a reason of its own; the others go on
				total[n].State, total[n].Message = Skipped, o.Message
				continue
			}
			if o.State != Done {
				total[n].State, total[n].Message, total[n].Err = o.State, o.Message, o.Err
				return w.stopCycle(total, n)
			}
			fresh[n] = o.Fresh > 0
		}
		for n := range steps {
			for _, from := range feeders[n] {
				due[n] = due[n] || fresh[from] && total[n].State == Done
			}
		}
	}
	return total
}

// stopCycle gives all members of a cycle the state of the one that did not end
// well: their closure is not complete.
func (w *walk) stopCycle(total []Outcome, at int) []Outcome {
	for n := range total {
		if n != at {
			total[n].State = total[at].State
			total[n].Err = total[at].Err
			total[n].Message = "its cycle with " + total[at].Address.String() + " was not completed"
		}
	}
	return total
}

// feeders returns for each member of a cycle the members that it takes values
// from.
func (w *walk) feeders(members []int) [][]int {
	at := make(map[Address]int, len(members))
	for n, i := range members {
		at[w.plan.Steps[i].Address()] = n
	}
	feeders := make([][]int, len(members))
	for n, i := range members {
		for _, in := range w.plan.Steps[i].Inputs {
			for _, src := range in.Sources {
				if from, ok := at[src.From]; ok {
					feeders[n] = append(feeders[n], from)
				}
			}
		}
	}
	return feeders
}
