package mangakai;

import java.nio.file.Path;
import org.elasticsearch.cluster.metadata.RepositoryMetadata;
import org.elasticsearch.env.Environment;
import org.elasticsearch.repositories.RepositoryException;

/**
 * Where a repository of type `s3` lies: in a folder of the node's data, as there is no S3. What Elasticsearch does with
 * a repository is real; that it reaches S3, with which rights and whose keys, is not proven by it. Each node has a
 * folder of its own, so the verification fails, and with it the registration, where there is more than one.
 */
final class Bucket {
    private Bucket() {}

    /**
     * Return the folder that stands for the bucket and the path in it; other settings, as of the client, are not read.
     *
     * @throws RepositoryException if there is no bucket, or the folder would lie elsewhere
     */
    static Path folder(RepositoryMetadata repository, Environment environment) {
        var bucket = repository.settings().get("bucket", "");
        var buckets = environment.dataDirs()[0].resolve("s3");
        var folder = buckets.resolve(bucket).resolve(repository.settings().get("base_path", "")).normalize();
        if (bucket.isEmpty() || !folder.startsWith(buckets.resolve(bucket)) || folder.equals(buckets)) {
            throw new RepositoryException(repository.name(), "No usable bucket or base_path for s3 repository");
        }
        return folder;
    }
}
