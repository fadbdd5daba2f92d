package pagetest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest"
)

// timeLimit is how long a test may take in a browser.
const timeLimit = 20 * time.Minute

// tab is a browser of its own that may show the files of one folder, or what is
// below one address. The test fails at its end if a page did anything else: said
// something on the console, opened a dialog, asked for anything outside of that.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	misdeeds []string
	requests int
}

func open(t *testing.T, dir string) *tab {
	t.Helper()
	return openAt(t, "file://"+dir+"/")
}

// openAt opens a tab for what is below an address of this machine.
func openAt(t *testing.T, inside string) *tab {
	t.Helper()
	path, err := dbtest.Chromium()
	require.NoError(t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.WindowSize(1200, 900),
		chromedp.Flag("disable-gpu", true),
		// Not even a name is looked up.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.WSURLReadTimeout(timeLimit),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), timeLimit)
	allocator, stop := chromedp.NewExecAllocator(limited, options...)
	ctx, closeTab := chromedp.NewContext(allocator)
	b := &tab{t: t, ctx: ctx}
	t.Cleanup(func() {
		err := chromedp.Cancel(ctx)
		closeTab()
		stop()
		cancel()
		require.NoError(t, err)
		b.mu.Lock()
		defer b.mu.Unlock()
		require.Empty(t, b.misdeeds)
		require.Positive(t, b.requests)
	})
	b.do()
	require.NoError(t, chromedp.Listen(ctx, func(event any) { b.watch(event, inside) }))
	b.do(command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}))
	return b
}

func (b *tab) watch(event any, inside string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests++
		if !strings.HasPrefix(e.Request.URL, inside) && e.Request.URL != "about:blank" {
			b.misdeeds = append(b.misdeeds, "request "+e.Request.URL)
		}
	case *network.EventLoadingFailed:
		b.misdeeds = append(b.misdeeds, "not loaded: "+e.ErrorText)
	case *runtime.EventConsoleAPICalled:
		b.misdeeds = append(b.misdeeds, "console "+string(e.Type))
	case *runtime.EventExceptionThrown:
		b.misdeeds = append(b.misdeeds, "exception "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.misdeeds = append(b.misdeeds, fmt.Sprintf("log %s: %s", e.Entry.Level, e.Entry.Text))
	case *page.EventJavascriptDialogOpening:
		b.misdeeds = append(b.misdeeds, "dialog "+e.Message)
	}
}

// step is one thing that is done in a tab.
type step = chromedp.Action[chromedp.Void]

func (b *tab) do(steps ...step) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, steps...))
}

// follow does what leads to another page, and waits until that is loaded.
func (b *tab) follow(steps ...step) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void]("window.before = true"))
	b.do(append(steps, until(`window.before === undefined && document.readyState === "complete"`))...)
}

// text is what an element shows, once it can be seen.
func (b *tab) text(selector string) string {
	b.t.Helper()
	b.do(visible(selector))
	return eval[string](b, fmt.Sprintf("document.querySelector(%q).innerText", selector))
}

// eval is the value of an expression.
func eval[T any](b *tab, expression string, options ...chromedp.EvaluateOption) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, options...))
	require.NoError(b.t, err)
	return out
}

// wait waits until an expression is true.
func (b *tab) wait(expression string) {
	b.t.Helper()
	b.do(until(expression))
}

// at is the path of the page below the folder, with its fragment.
func (b *tab) at(dir string) string {
	b.t.Helper()
	return strings.TrimPrefix(eval[string](b, "location.href"), "file://"+dir+"/")
}

func visit(address string) step { return chromedp.Navigate(address) }

// click clicks on what can be seen and nothing else covers. It does so in one
// go: between the press and the release of a mouse, a page that shows its
// results again would take the element away.
func click(selector string) step {
	return chromedp.Steps(visible(selector), chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{
		const wanted = document.querySelector(%q);
		wanted.scrollIntoView({block: "center", behavior: "instant"});
		const [box] = wanted.getClientRects();
		const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
		if (!wanted.contains(hit)) throw new Error("something else would be clicked");
		wanted.click();
	}`, selector)))
}

func visible(selector string) step {
	return until(fmt.Sprintf("(e => e !== null && e.getClientRects().length > 0)(document.querySelector(%q))", selector))
}
func ready(selector string) step { return chromedp.WaitReady(chromedp.CSS(selector)) }

// until waits until an expression is true. It asks anew each time: what asks once
// and then listens may listen for ever where one page takes the place of
// another.
func until(expression string) step {
	ask := chromedp.Evaluate[bool](expression)
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		often := time.NewTicker(20 * time.Millisecond)
		defer often.Stop()
		for {
			once, cancel := context.WithTimeout(ctx, time.Minute)
			holds, err := ask(once, t)
			cancel()
			if err == nil && holds {
				return nil
			}
			select {
			case <-often.C:
			case <-ctx.Done():
				return fmt.Errorf("wait until %s: %w", expression, errors.Join(ctx.Err(), err))
			}
		}
	})
}

// enter types into an empty field and presses Enter.
func enter(selector, text string) step {
	return chromedp.Steps(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.querySelector(%q).value = \"\"", selector)), chromedp.SendKeys(chromedp.CSS(selector), text+kb.Enter))
}

// command is a command of the browser's protocol without an answer.
func command[P, R any](c cdp.Command[P, R], params P) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// media sets what style sheets ask for, as pairs.
func media(features ...string) step {
	var params emulation.SetEmulatedMediaParams
	for i := 0; i < len(features); i += 2 {
		params.Features = append(params.Features, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	return command(emulation.SetEmulatedMedia, params)
}

// noScript lets pages run none of their scripts.
func noScript() step {
	return command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}
