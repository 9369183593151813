package flinkglue.jobs;

/** Counts an endless stream of events, per key and in total, and keeps the counts in its state. */
public final class StatefulCount {
    private StatefulCount() {}

    public static void main(String[] args) throws Exception {
        CountPipeline.run(Arguments.of(args, CountPipeline.ARGUMENTS), new CountPerKey());
    }
}
