package flinkglue.jobs;

/** A release that starts clean, and cannot be restored from an older one's savepoint. */
public final class StatefulCount {
    private StatefulCount() {}

    public static void main(String[] args) throws Exception {
        CountPipeline.run(Arguments.of(args, CountPipeline.ARGUMENTS), new CountPerKeyAsText());
    }
}
