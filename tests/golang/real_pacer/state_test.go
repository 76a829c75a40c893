// Asks the runtime's own pacer what its rules make of the states read from $GCSIM_STATES. Go 1.21 and later.

package runtime_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	. "runtime"
	"testing"
)

func TestStates(t *testing.T) {
	file, err := os.Open(os.Getenv("GCSIM_STATES"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var state PacerState
		if err := json.Unmarshal(lines.Bytes(), &state); err != nil {
			t.Fatal(err)
		}
		a := state.Ask()
		fmt.Println("STATE", a.GCPercentGoal, a.LimitGoal, a.Runway, a.Goal, a.Trigger, a.MarkGoal,
			exact(a.WorkPerByte), exact(a.BytesPerWork), exact(a.ConsMark))
	}
}
