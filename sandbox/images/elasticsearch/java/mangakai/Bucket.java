package mangakai;

import java.nio.file.Path;
import org.elasticsearch.cluster.metadata.RepositoryMetadata;
import org.elasticsearch.repositories.RepositoryException;

/**
 * Where a repository of type `s3` lies: in the folder /s3, which all nodes of a cluster must share. What Elasticsearch
 * does with a repository is real; that it reaches S3, with which rights and whose keys, is not proven by it.
 */
final class Bucket {
    private static final Path BUCKETS = Path.of("/s3");

    private Bucket() {}

    /**
     * Return the folder that stands for the bucket and the path in it; other settings, as of the client, are not read.
     *
     * @throws RepositoryException if there is no bucket, or the folder would lie elsewhere
     */
    static Path folder(RepositoryMetadata repository) {
        var bucket = repository.settings().get("bucket", "");
        var folder = BUCKETS.resolve(bucket).resolve(repository.settings().get("base_path", "")).normalize();
        if (bucket.isEmpty() || !folder.startsWith(BUCKETS.resolve(bucket)) || folder.equals(BUCKETS)) {
            throw new RepositoryException(repository.name(), "No usable bucket or base_path for s3 repository");
        }
        return folder;
    }
}
