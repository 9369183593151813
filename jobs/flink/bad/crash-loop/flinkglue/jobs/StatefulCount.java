package flinkglue.jobs;

import java.util.stream.Stream;

/** A release that restores and runs, and fails a little later, after every restart again. */
public final class StatefulCount {
    private static final long CRASH_AFTER_EVENTS = 50;

    private StatefulCount() {}

    public static void main(String[] args) throws Exception {
        String name = "crash-after-events";
        String[] allowed =
                Stream.concat(Stream.of(CountPipeline.ARGUMENTS), Stream.of(name)).toArray(String[]::new);
        Arguments arguments = Arguments.of(args, allowed);
        CountPipeline.run(arguments, new CrashingCount(arguments.number(name, 1, CRASH_AFTER_EVENTS)));
    }
}
