package runtime

// PacerState is what the pacer's rules read; PacerAnswer what they say. Go 1.21 and later.
type PacerState struct {
	GCPercent                                      int32
	MemoryLimit                                    int64
	HeapMarked, HeapScan, StackScan, GlobalsScan   uint64
	SweepDone                                      bool
	ConsMark                                       float64
	MappedReady, HeapFree, HeapAlloc               uint64
	HeapLive, Triggered, MaxHeapScan, MaxStackScan uint64
	HeapScanWork, StackScanWork, GlobalsScanWork   int64
	AssistTime, IdleMarkTime, Duration             int64
	Procs                                          int
	LastConsMark                                   [4]float64
}

type PacerAnswer struct {
	GCPercentGoal, LimitGoal, Runway, Goal, Trigger, MarkGoal uint64
	WorkPerByte, BytesPerWork, ConsMark                       float64
}

// Ask sets a fresh pacer to the state and returns what each rule makes of it.
func (s *PacerState) Ask() (a PacerAnswer) {
	c := NewGCController(int(s.GCPercent), s.MemoryLimit)
	c.heapMarked = s.HeapMarked
	c.lastHeapScan = s.HeapScan
	c.lastStackScan.Store(s.StackScan)
	c.globalsScan.Store(s.GlobalsScan)
	c.consMark = s.ConsMark
	c.lastConsMark = s.LastConsMark
	c.mappedReady.Store(s.MappedReady)
	c.heapFree = sysMemStat(s.HeapFree)
	c.totalAlloc.Store(s.HeapAlloc)
	c.heapLive.Store(s.HeapMarked)
	c.commit(s.SweepDone)
	a.GCPercentGoal = c.gcPercentHeapGoal.Load()
	a.LimitGoal = c.memoryLimitHeapGoal()
	a.Runway = c.runway.Load()
	a.Trigger, a.Goal = c.trigger()

	c.triggered = s.Triggered
	a.MarkGoal = c.heapGoal()
	c.heapLive.Store(s.HeapLive)
	c.heapScan.Store(s.MaxHeapScan)
	c.maxStackScan.Store(s.MaxStackScan)
	c.heapScanWork.Store(s.HeapScanWork)
	c.stackScanWork.Store(s.StackScanWork)
	c.globalsScanWork.Store(s.GlobalsScanWork)
	c.revise()
	a.WorkPerByte = c.assistWorkPerByte.Load()
	a.BytesPerWork = c.assistBytesPerWork.Load()

	c.idleMarkTime.Store(s.IdleMarkTime)
	c.EndCycle(s.HeapMarked, s.AssistTime, s.Duration, s.Procs)
	a.ConsMark = c.consMark
	return a
}
