package flinkglue.jobs;

import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** Counts the events of each key in keyed state, and passes the new count on. */
class CountPerKey extends KeyedProcessFunction<Long, Long, Tuple2<Long, Long>>
        implements CheckpointedFunction {
    private transient ValueState<Long> count;

    // Here and not in open(), whose signature differs between Flink 1.x and 2.x.
    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        count = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("count", Types.LONG));
    }

    @Override
    public void processElement(Long event, Context context, Collector<Tuple2<Long, Long>> counts)
            throws Exception {
        Long before = count.value();
        count.update(before == null ? 1L : before + 1L);
        counts.collect(Tuple2.of(context.getCurrentKey(), count.value()));
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) {
        // Flink snapshots keyed state by itself.
    }
}
