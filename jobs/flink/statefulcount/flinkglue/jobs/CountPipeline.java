package flinkglue.jobs;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;

/** events → count per key → total. Every operator has a uid, by which a savepoint knows its state. */
final class CountPipeline {
    static final String[] ARGUMENTS = {"rate", "keys", "label", "output", "checkpoint-every-seconds"};

    private static final long RATE = 100;
    private static final long KEYS = 10;
    private static final long CHECKPOINT_EVERY_SECONDS = 5;

    private CountPipeline() {}

    static void run(Arguments arguments, KeyedProcessFunction<Long, Long, Tuple2<Long, Long>> countPerKey)
            throws Exception {
        long keys = arguments.number("keys", 1, KEYS);
        EventSource events = new EventSource(arguments.number("rate", 1, RATE));
        Total total = new Total(new CountLog(arguments.text("output", ""), arguments.text("label", "v1")));

        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        enableCheckpoints(environment, arguments);
        environment
                .fromSource(events, WatermarkStrategy.noWatermarks(), "events")
                .uid("events")
                .keyBy(event -> event % keys, Types.LONG)
                .process(countPerKey, Types.TUPLE(Types.LONG, Types.LONG))
                .name("count per key")
                .uid("count-per-key")
                .process(total, Types.VOID)
                .name("total")
                .uid("total")
                .setParallelism(1);
        // A job name chosen by whoever submits the jar is how the job is found again.
        environment.execute(
                environment.getConfiguration().getOptional(PipelineOptions.NAME).orElse("StatefulCount"));
    }

    /** The argument first, then the cluster's configuration, then every five seconds. */
    private static void enableCheckpoints(StreamExecutionEnvironment environment, Arguments arguments) {
        String name = "checkpoint-every-seconds";
        if (arguments.has(name) || !environment.getCheckpointConfig().isCheckpointingEnabled()) {
            environment.enableCheckpointing(1000 * arguments.number(name, 1, CHECKPOINT_EVERY_SECONDS));
        }
    }
}
