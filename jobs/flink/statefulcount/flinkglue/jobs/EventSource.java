package flinkglue.jobs;

import java.util.List;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimitedSourceReader;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;

/**
 * Numbered events at a steady rate, without an end. What was emitted is part of the job's state: after
 * a restore no number comes twice.
 */
final class EventSource extends NumberSequenceSource {
    // More splits than subtasks, so that a job restored with a higher parallelism has work for all.
    private static final int SPLITS = 64;

    private final double perSecond;

    EventSource(double perSecond) {
        super(0, Long.MAX_VALUE - 1);
        this.perSecond = perSecond;
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.CONTINUOUS_UNBOUNDED;
    }

    @Override
    protected List<NumberSequenceSplit> splitNumberRange(long from, long to, int parallelism) {
        return super.splitNumberRange(from, to, SPLITS);
    }

    // Limited here and not by a sleep in an operator: a sleeping task answers no checkpoint.
    @Override
    @SuppressWarnings({"unchecked", "rawtypes"}) // the strategy has a type parameter from 2.x on
    public SourceReader<Long, NumberSequenceSplit> createReader(SourceReaderContext context) {
        return new RateLimitedSourceReader(
                super.createReader(context),
                RateLimiterStrategy.perSecond(perSecond).createRateLimiter(context.currentParallelism()));
    }
}
