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

/** The state of {@link CountPerKey} under the same name, with a serializer that cannot read it. */
final class CountPerKeyAsText extends KeyedProcessFunction<Long, Long, Tuple2<Long, Long>>
        implements CheckpointedFunction {
    private transient ValueState<String> count;

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        count = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("count", Types.STRING));
    }

    @Override
    public void processElement(Long event, Context context, Collector<Tuple2<Long, Long>> counts)
            throws Exception {
        long now = count.value() == null ? 1L : Long.parseLong(count.value()) + 1L;
        count.update(Long.toString(now));
        counts.collect(Tuple2.of(context.getCurrentKey(), now));
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) {
        // Flink snapshots keyed state by itself.
    }
}
