package flinkglue.jobs;

/**
 * A release whose main method fails when its job has been submitted, as one does that asks for the
 * job's result: a job that was submitted over REST has none to give.
 */
public final class StatefulCount {
    private StatefulCount() {}

    public static void main(String[] args) throws Exception {
        CountPipeline.run(Arguments.of(args, CountPipeline.ARGUMENTS), new CountPerKey());
        throw new IllegalStateException("this release fails after it has submitted its job");
    }
}
